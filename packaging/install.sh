#!/bin/sh
# Installs cupbearer for Linux or macOS, or removes it.
#
#   sh install.sh                  installs the latest release
#   sh install.sh --version 0.1.0  installs this one
#   sh install.sh --to DIR         into DIR (default: /usr/local/bin for root, otherwise ~/.local/bin)
#   sh install.sh --from URL       from a mirror or a folder that holds the files of a release
#   sh install.sh --uninstall      removes the program; configuration and secrets stay
#
# It verifies the archive's checksum and, with GitHub's command gh, that the repository's release workflow built it.
# The macOS parts are tested with a stand-in for uname only.
set -eu

# packaging/build writes the address here, from Cargo.toml.
repository='@REPOSITORY@'

main() {
  version='' directory='' from='' action=install work=''
  while [ $# -gt 0 ]; do
    case $1 in
      --version) needs_value "$@" && version=${2#v} && shift ;;
      --to) needs_value "$@" && directory=$2 && shift ;;
      --from) needs_value "$@" && from=${2%/} && shift ;;
      --uninstall) action=uninstall ;;
      -h | --help) usage && return ;;
      *) fail "unknown argument $1; --help lists them" ;;
    esac
    shift
  done
  if [ -z "$directory" ]; then
    if [ "$(id -u)" = 0 ]; then directory=/usr/local/bin; else directory=$HOME/.local/bin; fi
  fi
  $action
}

usage() {
  cat <<'HELP'
Installs cupbearer for Linux or macOS, or removes it.

  --version V   installs this release instead of the latest
  --to DIR      into DIR (default: /usr/local/bin for root, otherwise ~/.local/bin)
  --from URL    from a mirror or a folder that holds the files of a release
  --uninstall   removes the program; configuration and secrets stay
HELP
}

needs_value() {
  [ $# -ge 2 ] || fail "$1 needs a value"
}

install() {
  if [ -z "$from" ]; then
    case $repository in
      https://*) ;;
      *) fail 'this copy names no repository: use --from to say where the files of the release are' ;;
    esac
    if [ -n "$version" ]; then
      from=$repository/releases/download/v$version
    else
      from=$repository/releases/latest/download
    fi
  fi
  target=$(target_of_this_machine)
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  trap 'exit 1' HUP INT TERM

  say "Installing cupbearer for $target from $from"
  fetch SHA256SUMS
  find_archive
  fetch "$archive"
  verify_checksum
  verify_attestation
  tar -xzf "$work/$archive" -C "$work"
  place "$work/${archive%.tar.gz}/cupbearer"

  say "Installed $("$directory/cupbearer" --version) as $directory/cupbearer"
  case :$PATH: in
    *:"$directory":*) ;;
    *) say "$directory is not in PATH: add it, or run the program by its full path." ;;
  esac
  if [ "$(uname -s)" = Darwin ]; then
    say 'This build is not notarised. If macOS refuses to run it:'
    say "  xattr -d com.apple.quarantine $directory/cupbearer"
  fi
  say 'Next: cupbearer demo, or cupbearer init. Completions: cupbearer completions --help'
}

target_of_this_machine() {
  case $(uname -m) in
    x86_64 | amd64) machine=x86_64 ;;
    aarch64 | arm64) machine=aarch64 ;;
    *) fail "there is no archive for $(uname -m): build it from source" ;;
  esac
  case $(uname -s) in
    Linux) echo "$machine-unknown-linux-musl" ;;
    Darwin) echo "$machine-apple-darwin" ;;
    *) fail "there is no archive for $(uname -s): build it from source" ;;
  esac
}

# Copies one file of the release into $work.
fetch() {
  case $from in
    https://*) protocol='=https' ;;
    http://127.0.0.1:* | http://localhost:* | http://\[::1\]:*) protocol='=http' ;;
    http://*) fail "$from is not encrypted: use https" ;;
    *)
      cp "${from#file://}/$1" "$work/$1" || fail "$from has no $1"
      return
      ;;
  esac
  if command -v curl >/dev/null; then
    curl --proto "$protocol" --fail --silent --show-error --location --output "$work/$1" "$from/$1" ||
      fail "$from/$1 could not be downloaded"
  elif command -v wget >/dev/null; then
    wget -q -O "$work/$1" "$from/$1" || fail "$from/$1 could not be downloaded"
  else
    fail 'neither curl nor wget is installed'
  fi
}

# Sets $archive and $checksum from the line of SHA256SUMS for this target.
find_archive() {
  line=$(awk -v end="-$target.tar.gz" '
    { name = $2; sub(/^\*/, "", name) }
    substr(name, length(name) - length(end) + 1) == end { print $1, name }' "$work/SHA256SUMS")
  case $line in
    '') fail "the release has no archive for $target" ;;
    *'
'*) fail "the release has several archives for $target" ;;
  esac
  checksum=${line%% *}
  archive=${line#* }
  case $archive in
    *[!A-Za-z0-9._+-]*) fail "SHA256SUMS names a file that is not an archive: $archive" ;;
  esac
  if [ -n "$version" ] && [ "$archive" != "cupbearer-$version-$target.tar.gz" ]; then
    fail "$from has $archive, not version $version"
  fi
}

verify_checksum() {
  if command -v sha256sum >/dev/null; then
    actual=$(sha256sum "$work/$archive")
  elif command -v shasum >/dev/null; then
    actual=$(shasum -a 256 "$work/$archive")
  else
    fail 'neither sha256sum nor shasum is installed, so the archive cannot be verified'
  fi
  actual=${actual%% *}
  [ "$actual" = "$checksum" ] || fail "the checksum of $archive is $actual, but SHA256SUMS says $checksum"
  say "Checksum of $archive: as in SHA256SUMS"
}

# A failed verification ends the installation; if verification is impossible, a message says so.
verify_attestation() {
  reason=''
  case $repository in
    https://github.com/*) ;;
    *) reason='this copy names no repository on GitHub' ;;
  esac
  if [ -n "$reason" ]; then
    :
  elif ! command -v gh >/dev/null; then
    reason='gh is not installed'
  elif ! gh auth status >/dev/null 2>&1; then
    reason='gh is not logged in'
  fi
  if [ -n "$reason" ]; then
    say "Attestation: not verified, since $reason. The checksum comes from the same place as the archive, so it shows"
    say 'that the download is complete, not who built it.'
    return
  fi
  slug=${repository#https://github.com/}
  gh attestation verify "$work/$archive" --repo "$slug" --signer-workflow "$slug/.github/workflows/release.yml" >/dev/null ||
    fail "gh found no valid attestation for $archive: it was not built by the release workflow of $repository"
  say "Attestation: built by the release workflow of $repository"
}

# Puts the program in its place at once, so that a running one is not disturbed.
place() {
  mkdir -p "$directory"
  new=$directory/.cupbearer.$$
  cp "$1" "$new"
  chmod 755 "$new"
  if ! "$new" --version >/dev/null; then
    rm -f "$new"
    fail 'the program does not run on this machine; nothing was changed'
  fi
  mv -f "$new" "$directory/cupbearer"
}

uninstall() {
  if [ ! -e "$directory/cupbearer" ]; then
    fail "there is no $directory/cupbearer; name the directory with --to"
  fi
  rm "$directory/cupbearer"
  say "Removed $directory/cupbearer"
  say 'Configuration files, and secrets in files or in the keyring, are still there.'
}

say() {
  printf '%s\n' "$*"
}

fail() {
  printf 'install.sh: %s\n' "$*" >&2
  exit 1
}

# Last, so that a truncated download does nothing.
main "$@"
