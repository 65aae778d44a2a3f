#!/usr/bin/env bash
# Fetches Kafka's own tools, the producer-perf-test among them, from Maven Central, and prints the folder of their
# jars. Needs maven; running them needs java.
set -euo pipefail
cd "$(dirname "$0")/.."
version=${1:-4.3.1}
out=target/release/kafka-tools
mkdir -p "$out"
cat >"$out/pom.xml" <<POM
<project>
  <modelVersion>4.0.0</modelVersion>
  <groupId>hubmark</groupId>
  <artifactId>kafka-tools</artifactId>
  <version>1</version>
  <packaging>pom</packaging>
  <dependencies>
    <dependency>
      <groupId>org.apache.kafka</groupId>
      <artifactId>kafka-tools</artifactId>
      <version>$version</version>
    </dependency>
  </dependencies>
</project>
POM
mvn -B -q -f "$out/pom.xml" org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies \
  -DincludeScope=runtime -DoutputDirectory="$PWD/$out/lib" >&2
echo "$out/lib"
