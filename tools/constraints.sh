#!/usr/bin/env bash
# Write the versions that .venv holds to constraints.txt, without the project itself and without local build tags.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

versions=$(.venv/bin/python -m pip freeze --all --exclude-editable --disable-pip-version-check | sed 's/+.*//')
{
  echo '# Exact versions of every package, for reproducible installs. Written by "make constraints".'
  echo "$versions"
} >constraints.txt
