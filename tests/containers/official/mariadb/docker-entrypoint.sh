#!/bin/bash
# Follows the documentation of the official image: options go to the server; a server without a
# network port creates the accounts, and only then the real server starts.
set -eu
data=/var/lib/mysql
unset MARIADB_ROOT_PASSWORD MARIADB_DATABASE MARIADB_USER MARIADB_PASSWORD
if [ "${1:-mysqld}" = mysqld ]; then
  shift || true
elif [ "${1#-}" = "$1" ]; then
  exec "$@"
fi
install -d -o mysql -g mysql /run/mysqld "$data"
if [ ! -d "$data/mysql" ]; then
  [ -n "${MYSQL_ROOT_PASSWORD:-}" ] || { echo "database is uninitialized and no password is given" >&2; exit 1; }
  mariadb-install-db --user=mysql --datadir="$data" --skip-test-db --auth-root-authentication-method=normal >/dev/null
  mariadbd --user=mysql --skip-networking --socket=/run/mysqld/init.sock "$@" &
  server=$!
  sql() { mariadb --socket=/run/mysqld/init.sock -uroot "$@"; }
  until sql -e 'SELECT 1' >/dev/null 2>&1; do
    kill -0 "$server"
    sleep 0.1
  done
  sql <<SQL
CREATE USER 'root'@'%' IDENTIFIED BY '$MYSQL_ROOT_PASSWORD';
GRANT ALL ON *.* TO 'root'@'%' WITH GRANT OPTION;
CREATE DATABASE IF NOT EXISTS \`$MYSQL_DATABASE\`;
CREATE USER '$MYSQL_USER'@'%' IDENTIFIED BY '$MYSQL_PASSWORD';
GRANT ALL ON \`$MYSQL_DATABASE\`.* TO '$MYSQL_USER'@'%';
SQL
  kill "$server"
  wait "$server" || true
fi
exec mariadbd --user=mysql "$@"
