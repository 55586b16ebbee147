#!/bin/sh
# What has to be there before the first process starts: the coordinator's key, and folders it can write to.
# Runs once, before everything else, as root with two capabilities; the private key reaches the coordinator only,
# because no other service mounts /keys/coordinator. Agents make their own keys, which never leave them.
set -eu
owner="$1"
umask 077
bnpg keys new /keys/coordinator --agents 0 --keep --public /keys/public
chmod 0755 /keys/public
chmod 0644 /keys/public/coordinator.pub
chown -R "$owner" /keys/coordinator
chown "$owner" /keys/enrolled
# The engine makes a missing host folder as root; one that belongs to somebody is left alone.
if [ "$(stat -c %u /runs)" = 0 ]; then chown "$owner" /runs; fi
