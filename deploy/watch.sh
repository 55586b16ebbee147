#!/bin/sh
# The live page of a run, for whoever knows the token. It is made at the first start and kept in a volume of its own;
# it never reaches the environment, the command line or a log:
#
#   docker compose -f docker-compose.yml -f docker-compose.observe.yml exec watch cat /state/token
set -eu
umask 077
if ! [ -s /state/token ]; then
  /opt/bnpg/bin/python3 -IS -c 'import secrets; print(secrets.token_urlsafe(24))' > /state/token.new
  mv /state/token.new /state/token
fi
exec bnpg watch "$@" --token-file /state/token
