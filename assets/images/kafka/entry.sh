#!/bin/sh
# entry.sh [kafka | zookeeper] [argument...]: runs one server in the foreground; arguments: --override key=value.
#
# Settings are the variables of the official apache/kafka image: KAFKA_FOO_BAR=x is foo.bar=x, `__` stands for `_` and
# `___` for `-`. The text CONTAINER_ADDRESS in a value is replaced by the container's first address.
# The JVM gets KAFKA_HEAP_OPTS, KAFKA_JVM_PERFORMANCE_OPTS, KAFKA_LOG4J_OPTS, KAFKA_JMX_OPTS and KAFKA_OPTS.
# If CLUSTER_ID or KAFKA_NODE_ID differ from the image's, the (still unused) storage is formatted again: one second.
set -eu
home=/opt/kafka
role=kafka
case ${1:-} in
  '' | -*) ;;
  *) role=$1; shift ;;
esac

if [ "$(id -u)" = 0 ]; then
  # A volume mounted over /data belongs to root at first.
  [ "$(stat -c %U /data)" = kafka ] || chown -R kafka:kafka /data
  exec setpriv --reuid=kafka --regid=kafka --init-groups "$home/entry.sh" "$role" "$@"
fi

class_path=$(cat "$home/class-path")
archive=$home/$role.jsa
sharing=-Xshare:auto
[ ! -f "$archive" ] || sharing="$sharing -XX:SharedArchiveFile=$archive"
logging=${KAFKA_LOG4J_OPTS:--Dlog4j.configuration=file:$home/log4j.properties -Dlog4j2.configurationFile=$home/log4j2.properties}

case $role in
  zookeeper)
    # shellcheck disable=SC2086 # flags, to be split
    exec java ${KAFKA_HEAP_OPTS:--Xms32m -Xmx128m} ${KAFKA_JVM_PERFORMANCE_OPTS:--XX:+UseSerialGC} $sharing \
      -Djava.awt.headless=true -Dzookeeper.jmx.log4j.disable=true $logging ${KAFKA_JMX_OPTS:-} ${KAFKA_OPTS:-} \
      -cp "$class_path" org.apache.zookeeper.server.quorum.QuorumPeerMain "$home/zookeeper-server.properties"
    ;;
  kafka) ;;
  *) echo "entry.sh: no role '$role'; there are kafka and zookeeper" >&2; exit 64 ;;
esac

address=$(hostname -i 2>/dev/null) || address=127.0.0.1
KAFKA_ADVERTISED_LISTENERS=${KAFKA_ADVERTISED_LISTENERS:-PLAINTEXT://CONTAINER_ADDRESS:9092}
export KAFKA_ADVERTISED_LISTENERS

# Settings may contain passwords: a file in memory, readable only by the server. Of two equal keys the later one counts.
umask 077
properties=/dev/shm/server.properties
cp "$home/server.properties" "$properties"
awk -v address="${address%% *}" '
  BEGIN {
    split("HEAP_OPTS JVM_PERFORMANCE_OPTS LOG4J_OPTS JMX_OPTS OPTS VERSION GC_LOG_OPTS JMX_HOSTNAME " \
          "LOG4J_ROOT_LOGLEVEL LOG4J_LOGGERS TOOLS_LOG4J_LOGLEVEL", names, " ")
    for (i in names) skip["KAFKA_" names[i]] = 1
    for (name in ENVIRON) {
      if (name !~ /^KAFKA_./ || name in skip) continue
      key = tolower(substr(name, 7))
      gsub(/___/, "-", key); gsub(/__/, "\001", key); gsub(/_/, ".", key); gsub(/\001/, "_", key)
      value = ENVIRON[name]
      gsub(/CONTAINER_ADDRESS/, address, value)
      gsub(/\\/, "\\\\", value); gsub(/\n/, "\\n", value); sub(/^ /, "\\ ", value)
      print key "=" value
    }
  }' >>"$properties"
umask 022

setting() { sed -n "s/^$1=//p" "$properties" | tail -n 1; }
if [ -n "$(setting process.roles)" ]; then
  data=$(setting log.dirs)
  node=$(setting node.id)
  cluster=${CLUSTER_ID:-hubmarkhubmarkhubmarkg}
  formatted() { grep -sqx "node.id=$node" "$data/meta.properties" && grep -sqx "cluster.id=$cluster" "$data/meta.properties"; }
  used() { [ -f "$data/__cluster_metadata-0/quorum-state" ]; }
  if ! formatted && ! used; then
    rm -rf "$data"
    java -XX:TieredStopAtLevel=1 -XX:+UseSerialGC -cp "$class_path" kafka.tools.StorageTool format \
      --cluster-id "$cluster" --config "$properties" >&2
  fi
fi

# The default flags are those of Kafka's own start script.
# shellcheck disable=SC2086 # flags, to be split
exec java ${KAFKA_HEAP_OPTS:--Xms512m -Xmx512m} ${KAFKA_JVM_PERFORMANCE_OPTS:--server -XX:+UseG1GC -XX:MaxGCPauseMillis=20 -XX:InitiatingHeapOccupancyPercent=35 -XX:+ExplicitGCInvokesConcurrent -XX:MaxInlineLevel=15} \
  $sharing -Djava.awt.headless=true $logging ${KAFKA_JMX_OPTS:-} ${KAFKA_OPTS:-} -cp "$class_path" kafka.Kafka "$properties" "$@"
