#!/usr/bin/env bash
# Provides the base image of the recipes on the engine: pulled if a registry answers, else built by debootstrap from the
# mirror that this machine's apt uses. Settings that the machine needs to reach the network (its CA certificates, apt's
# proxies, Maven's settings) go into the image, so that no recipe depends on them.
set -euo pipefail

image=debian:bookworm-slim
suite=bookworm

fail() { echo "base: $*" >&2; exit 1; }

docker image inspect "$image" >/dev/null 2>&1 && exit 0
docker version >/dev/null 2>&1 || fail "no Docker engine answers; run tests/setup/engine.sh first"

work=$(mktemp -d)
root=()
[ "$(id -u)" = 0 ] || root=(sudo -n)
trap '"${root[@]}" rm -rf "$work"' EXIT

# sources: prints this machine's Debian mirrors for the suite, one apt line each.
sources() {
  command -v apt-get >/dev/null || return 0
  # shellcheck disable=SC2016 # apt's own placeholders
  apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' 'Origin: Debian' |
    awk -v suite="$suite" '$2 ~ "^" suite "(-security|-updates)?$" && $3 == "main" { print "deb", $0 }' | sort -u
}

# carry DIR: copies this machine's network settings to DIR, as if DIR were /.
carry() {
  mkdir -p "$1/usr/local/share/ca-certificates" "$1/etc/apt/apt.conf.d"
  cp /usr/local/share/ca-certificates/*.crt "$1/usr/local/share/ca-certificates/" 2>/dev/null || true
  apt-config dump 2>/dev/null | grep -E '^Acquire::(https?|Check-|Retries|ForceIPv)' >"$1/etc/apt/apt.conf.d/90machine" ||
    rm -f "$1/etc/apt/apt.conf.d/90machine"
  if [ -f "$HOME/.m2/settings.xml" ]; then
    install -D -m 600 "$HOME/.m2/settings.xml" "$1/root"/.m2/settings.xml
  fi
}

pull() {
  timeout 120 docker pull -q "$image" || return 1
  carry "$work/own"
  [ -n "$(find "$work/own" -type f -print -quit)" ] || return 0
  # apt may need the certificates before it can install ca-certificates.
  [ ! -f /etc/ssl/certs/ca-certificates.crt ] ||
    install -D /etc/ssl/certs/ca-certificates.crt "$work/own/etc/ssl/certs/ca-certificates.crt"
  cat >"$work/Dockerfile" <<RECIPE
FROM $image
COPY own/ /
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates \
 && update-ca-certificates && rm -rf /var/lib/apt/lists/*
RECIPE
  DOCKER_BUILDKIT=0 docker build -q --pull=false -t "$image" "$work"
}

bootstrap() {
  local lines mirror proxy
  [ "$(id -u)" = 0 ] || sudo -n true 2>/dev/null || fail "no registry answers, and debootstrap needs root or sudo"
  command -v apt-get >/dev/null || fail "no registry answers, and this system has no apt to make $image with"
  lines=$(sources)
  [ -n "$lines" ] || { "${root[@]}" apt-get update -qq && lines=$(sources); }
  mirror=$(awk -v suite="$suite" '$3 == suite { print $2; exit }' <<<"$lines")
  [ -n "$mirror" ] || fail "no registry answers, and this machine's apt has no mirror of Debian $suite"
  if ! command -v debootstrap >/dev/null && ! [ -x /usr/sbin/debootstrap ]; then
    "${root[@]}" apt-get update -qq
    "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends debootstrap
  fi
  proxy=$(apt-config shell p Acquire::http::Proxy)
  proxy=${proxy#p=\'}

  mkdir "$work/tree"
  "${root[@]}" env ${proxy:+http_proxy="${proxy%\'}"} PATH="$PATH:/usr/sbin:/sbin" \
    debootstrap --variant=minbase --include=ca-certificates "$suite" "$work/tree" "$mirror"
  carry "$work/own"
  "${root[@]}" cp -r "$work/own/." "$work/tree/"
  "${root[@]}" tee "$work/tree/etc/apt/sources.list" >/dev/null <<<"$lines"

  # As in the published slim image: packages installed later leave their documentation out, too.
  "${root[@]}" tee "$work/tree/etc/dpkg/dpkg.cfg.d/slim" >/dev/null <<'DPKG'
path-exclude /usr/share/doc/*
path-include /usr/share/doc/*/copyright
path-exclude /usr/share/man/*
path-exclude /usr/share/info/*
path-exclude /usr/share/lintian/*
path-exclude /usr/share/locale/*
path-include /usr/share/locale/locale.alias
DPKG
  "${root[@]}" tee "$work/tree/etc/apt/apt.conf.d/slim" >/dev/null <<'APT'
DPkg::Post-Invoke { "rm -f /var/cache/apt/archives/*.deb /var/cache/apt/*.bin || true"; };
APT::Update::Post-Invoke { "rm -f /var/cache/apt/archives/*.deb /var/cache/apt/*.bin || true"; };
Dir::Cache::pkgcache "";
Dir::Cache::srcpkgcache "";
Acquire::Languages "none";
APT
  # shellcheck disable=SC2016 # expanded inside the tree
  "${root[@]}" chroot "$work/tree" sh -eu -c '
    update-ca-certificates
    printf "#!/bin/sh\nexit 101\n" >/usr/sbin/policy-rc.d && chmod +x /usr/sbin/policy-rc.d
    apt-get clean
    rm -rf /var/lib/apt/lists/* /var/cache/debconf/*-old /var/lib/dpkg/*-old /var/log/* /tmp/* /etc/hostname
    find /usr/share/doc -type f ! -name copyright -delete
    find /usr/share/doc -depth -type d -empty -delete
    rm -rf /usr/share/man/* /usr/share/info/* /usr/share/lintian/*
    find /usr/share/locale -mindepth 1 -maxdepth 1 ! -name locale.alias -exec rm -rf {} +
    : >/etc/resolv.conf
  '
  "${root[@]}" tar -C "$work/tree" --one-file-system --exclude='./dev/*' --exclude='./proc/*' --exclude='./sys/*' -cf - . |
    docker import -c 'CMD ["bash"]' -c 'ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' - "$image"
}

echo "base: getting $image" >&2
pull >&2 || { echo "base: no registry answers, making $image by debootstrap" >&2; bootstrap >&2; }
docker image inspect "$image" >/dev/null || fail "$image is still not on the engine"
