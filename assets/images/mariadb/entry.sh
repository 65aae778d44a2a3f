#!/bin/sh
# entry.sh [mariadbd] [--option=value...]: the server in the foreground, options go to it.
#
# Accounts are the variables of the official mariadb image: MARIADB_ROOT_PASSWORD, MARIADB_DATABASE, MARIADB_USER and
# MARIADB_PASSWORD. Without a root password there is no root but the one who sits in the container.
set -eu
data=/var/lib/mysql

# A data directory with root@localhost (by the socket alone) and nobody else.
prepare() {
  install -d -o mysql -g mysql "$data"
  mariadb-install-db --user=mysql --datadir="$data" --skip-test-db --skip-name-resolve \
    --auth-root-authentication-method=socket --innodb-log-file-size=4M >/dev/null
}

# shellcheck disable=SC2016 # SQL's own quotes
identifier() { printf '`%s`' "$(printf %s "$1" | sed 's/`/``/g')"; }
text() { printf "'%s'" "$(printf %s "$1" | sed "s/\\\\/\\\\\\\\/g; s/'/''/g")"; }

# not echo, to which a backslash means something
sql() { printf '%s\n' "$1"; }

# accounts: SQL that makes what the variables ask for; run at each start, it leaves alone who is there, with all that
# was granted since
accounts() {
  if [ -n "${MARIADB_ROOT_PASSWORD:-}" ]; then
    sql "CREATE USER IF NOT EXISTS root@'%' IDENTIFIED BY $(text "$MARIADB_ROOT_PASSWORD");"
    sql "GRANT ALL ON *.* TO root@'%' WITH GRANT OPTION;"
  fi
  if [ -n "${MARIADB_DATABASE:-}" ]; then
    sql "CREATE DATABASE IF NOT EXISTS $(identifier "$MARIADB_DATABASE");"
  fi
  if [ -n "${MARIADB_USER:-}" ]; then
    user="$(text "$MARIADB_USER")@'%'"
    sql "CREATE USER IF NOT EXISTS $user IDENTIFIED BY $(text "$MARIADB_PASSWORD");"
    if [ -n "${MARIADB_DATABASE:-}" ]; then
      # in a grant _ and % of a database's name are wildcards
      name=$(printf %s "$MARIADB_DATABASE" | sed 's/[_%]/\\&/g')
      sql "GRANT ALL ON $(identifier "$name").* TO $user;"
    fi
  fi
}

mkdir -p /run/mysqld
chown mysql:mysql /run/mysqld
if [ "${1:-}" = --prepare ]; then
  prepare
  exit 0
fi
[ "${1:-}" != mariadbd ] || shift

if [ -n "${MARIADB_USER:-}" ] && [ -z "${MARIADB_PASSWORD:-}" ]; then
  echo "entry.sh: MARIADB_USER needs MARIADB_PASSWORD" >&2
  exit 64
fi
# an empty directory mounted over the image's own
[ -d "$data/mysql" ] || prepare

# In memory and for the server's eyes only: a password in the arguments would be in every process list.
init=/dev/shm/accounts.sql
(umask 077 && accounts >"$init")
chown mysql:mysql "$init"
unset MARIADB_ROOT_PASSWORD MARIADB_PASSWORD
exec mariadbd --init-file="$init" "$@"
