#!/bin/sh
# Compiles with coverage for libFuzzer: hubmark, its codec's crate, and the targets; nothing else, so that all other
# dependencies are those of a usual build. Usage, as RUSTC_WRAPPER: instrument.sh RUSTC ARGUMENT...
name=
previous=
for argument; do
  [ "$previous" != --crate-name ] || name=$argument
  previous=$argument
done
case " hubmark kafka_protocol $FUZZ_TARGETS " in
  *" $name "*) ;;
  *) exec "$@" ;;
esac
exec "$@" --cfg fuzzing -Cpasses=sancov-module \
  -Cllvm-args=-sanitizer-coverage-level=4 -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
  -Cllvm-args=-sanitizer-coverage-pc-table -Cllvm-args=-sanitizer-coverage-trace-compares
