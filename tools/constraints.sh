#!/usr/bin/env bash
# Write the versions that .venv and .site-venv hold to constraints.txt, without the project itself, local build tags and
# paths of wheels. What both hold has the version of .venv.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

freeze() { "$1/bin/python" -m pip freeze --exclude-editable --disable-pip-version-check "${@:2}"; }

versions=$({ freeze .venv --all && freeze .site-venv; } |
  sed -e 's/+.*//' -e 's|^\([^ ]*\) @ .*/\1-\([0-9][^-]*\)-.*whl.*|\1==\2|' |
  awk -F== '{name = tolower($1); gsub(/[_.]/, "-", name); if (!seen[name]++) print name, $0}' |
  LC_ALL=C sort --key=1,1 | cut -d ' ' -f 2)
{
  echo '# Exact versions of every package, for reproducible installs. Written by "make constraints".'
  echo "$versions"
} >constraints.txt
