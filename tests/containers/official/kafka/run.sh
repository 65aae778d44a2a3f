#!/bin/bash
# Follows the usage guide of the official image: settings are variables only, or the image's defaults only.
set -eu
properties=/etc/kafka/server.properties
cluster=${CLUSTER_ID:-5L6g3nShT-eMCtK--X86sw}
[ "$#" = 0 ] || { echo "no arguments are documented: $*" >&2; exit 64; }
env -0 | while IFS= read -r -d '' entry; do
  name=${entry%%=*}
  case $name in KAFKA_HEAP_OPTS | KAFKA_OPTS | KAFKA_JMX_OPTS | KAFKA_LOG4J_OPTS) continue ;; KAFKA_?*) ;; *) continue ;; esac
  key=$(printf %s "${name#KAFKA_}" | tr A-Z a-z | sed 's/___/-/g; s/__/\x01/g; s/_/./g; s/\x01/_/g')
  printf '%s=%s\n' "$key" "${entry#*=}"
done >"$properties"
grep -q ^process.roles= "$properties" || { echo "defaults are not used here" >&2; exit 1; }
classes=$(cat /opt/kafka/class-path)
java -cp "$classes" kafka.tools.StorageTool format --cluster-id "$cluster" --config "$properties" >&2
# shellcheck disable=SC2086 # flags, to be split
exec java ${KAFKA_HEAP_OPTS:--Xmx1G -Xms1G} -Dlog4j2.configurationFile=/opt/kafka/log4j2.properties \
  -cp "$classes" kafka.Kafka "$properties"
