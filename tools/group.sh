#!/usr/bin/env bash
# Install a dependency group of pyproject.toml, without the project itself: tools/group.sh FOLDER GROUP
#
# The virtual environment is made if it is not there. Packages get the versions of constraints.txt.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

folder=$1
group=$2
mark=.$group
if [[ ! -x $folder/bin/python ]]; then
  python=${PYTHON:-$(command -v python3.11 || command -v python3)}
  echo "setup: creating $folder with $("$python" --version)"
  "$python" -m venv "$folder"
fi
[[ $folder == .venv ]] || mark=.ready
echo "setup: installing the dependency group '$group' into $folder"
unset PIP_CONSTRAINT PIP_BUILD_CONSTRAINT PYTHONPATH
install=("$folder/bin/python" -m pip install -qq --no-input --disable-pip-version-check --constraint constraints.txt)
"${install[@]}" pip # dependency groups need 25.1
"${install[@]}" --group "$group"
touch "$folder/$mark"
