#!/bin/sh
# warm.sh kraft | zookeeper: runs the servers once while the image is built, lets them serve a client, and archives the
# classes that they loaded (AppCDS), so that a container starts about a second sooner. Other data of this run is deleted.
# Also formats the storage of a KRaft broker, which a container would otherwise do at each start.
set -eu
cd /opt/kafka
export PATH="/opt/java/bin:$PATH" KAFKA_ADVERTISED_LISTENERS=PLAINTEXT://127.0.0.1:9092
chown kafka:kafka /data
javac -cp "$(cat class-path)" -d /opt/warm /opt/warm/Warm.java

# Classes that cannot be archived (of old jars, proxies) cause warnings, which are not logged.
dump() { echo "-XX:ArchiveClassesAtExit=/tmp/$1.jsa -Xlog:disable -Xlog:all=error:stderr"; }
stop() { kill "$1"; wait "$1" || true; }

zookeeper=
if [ "$1" = zookeeper ]; then
  export KAFKA_ZOOKEEPER_CONNECT=127.0.0.1:2181
  KAFKA_OPTS=$(dump zookeeper) ./entry.sh zookeeper &
  zookeeper=$!
fi
KAFKA_OPTS=$(dump kafka) ./entry.sh kafka &
kafka=$!
java -cp "$(cat class-path):/opt/warm" Warm 127.0.0.1:9092
stop "$kafka"
[ -z "$zookeeper" ] || stop "$zookeeper"
rm -rf /data/* && mv /tmp/*.jsa . && chmod 444 ./*.jsa

if [ "$1" = kraft ]; then
  setpriv --reuid=kafka --regid=kafka --init-groups java -cp "$(cat class-path)" \
    kafka.tools.StorageTool format --cluster-id hubmarkhubmarkhubmarkg --config /dev/shm/server.properties
fi
