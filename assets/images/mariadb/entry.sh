#!/bin/sh
# entry.sh [mariadbd] [--option=value...]: runs the server in the foreground, with these options.
#
# The variables of the official mariadb image define the accounts: MARIADB_ROOT_PASSWORD, MARIADB_DATABASE, MARIADB_USER
# and MARIADB_PASSWORD. Without a root password, root can log in only inside the container.
set -eu
data=/var/lib/mysql

# prepare: creates a data directory whose only account is root@localhost, by the socket.
prepare() {
  install -d -o mysql -g mysql "$data"
  mariadb-install-db --user=mysql --datadir="$data" --skip-test-db --skip-name-resolve \
    --auth-root-authentication-method=socket --innodb-log-file-size=4M >/dev/null
}

# shellcheck disable=SC2016 # SQL's own quotes
identifier() { printf '`%s`' "$(printf %s "$1" | sed 's/`/``/g')"; }
text() { printf "'%s'" "$(printf %s "$1" | sed "s/\\\\/\\\\\\\\/g; s/'/''/g")"; }

# sql TEXT: prints a statement; echo would interpret backslashes.
sql() { printf '%s\n' "$1"; }

# accounts: prints SQL that creates the requested accounts and database. It runs at each start and does not change
# existing accounts, nor rights granted since.
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
      # In a grant, _ and % in a database's name are wildcards.
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
# An empty directory may be mounted over that of the image.
[ -d "$data/mysql" ] || prepare

# In memory, readable only by the server: a password in the arguments would be visible in the process list.
init=/dev/shm/accounts.sql
(umask 077 && accounts >"$init")
chown mysql:mysql "$init"
unset MARIADB_ROOT_PASSWORD MARIADB_PASSWORD
exec mariadbd --init-file="$init" "$@"
