#!/bin/sh
# warm.sh kraft | zookeeper: run the servers once while the image is built, let them serve a client, and keep the classes
# that they loaded as archives (AppCDS): a container then starts about a second sooner. Nothing else is kept of the run.
# A KRaft broker's storage is formatted here too, which a container would otherwise do at each start.
set -eu
cd /opt/kafka
export PATH="/opt/java/bin:$PATH" KAFKA_ADVERTISED_LISTENERS=PLAINTEXT://127.0.0.1:9092
chown kafka:kafka /data
javac -cp "$(cat class-path)" -d /opt/warm /opt/warm/Warm.java

# what the archive leaves out (classes of old jars, proxies) is no news
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
