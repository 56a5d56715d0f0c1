#!/usr/bin/env bash
# Write the versions that .venv holds to constraints.txt, without the project itself, local build tags and paths of wheels.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

versions=$(.venv/bin/python -m pip freeze --all --exclude-editable --disable-pip-version-check |
  sed -e 's/+.*//' -e 's|^\([^ ]*\) @ .*/\1-\([0-9][^-]*\)-.*whl.*|\1==\2|')
{
  echo '# Exact versions of every package, for reproducible installs. Written by "make constraints".'
  echo "$versions"
} >constraints.txt
