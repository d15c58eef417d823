#!/bin/sh
# Puts the variables into alertmanager.yml and starts Alertmanager with it. TELEGRAM_TOKEN and MANAGER_CHAT_ID are wanted; without
# ALERTMANAGER_WEBHOOK_URL there is no webhook.
set -eu
here=$(dirname "$0")
made=${ALERTMANAGER_CONFIG:-/tmp/alertmanager.yml}
: "${TELEGRAM_TOKEN:?is not set: the bot's token}"
: "${MANAGER_CHAT_ID:?is not set: the number of the chat}"
case ${MANAGER_CHAT_ID#-} in *[!0-9]*|"") echo "MANAGER_CHAT_ID is $MANAGER_CHAT_ID, but Alertmanager wants a number" >&2; exit 1 ;; esac

# What sed would read as more than text.
plain() { printf '%s' "$1" | sed 's/[&|\\]/\\&/g'; }

umask 077
sed \
  -e "s|\${TELEGRAM_API_URL}|$(plain "${TELEGRAM_API_URL:-https://api.telegram.org}")|" \
  -e "s|\${TELEGRAM_TOKEN}|$(plain "$TELEGRAM_TOKEN")|" \
  -e "s|\${MANAGER_CHAT_ID}|$MANAGER_CHAT_ID|" \
  -e "s|\${ALERTMANAGER_WEBHOOK_URL}|$(plain "${ALERTMANAGER_WEBHOOK_URL:-http://127.0.0.1:9/}")|" \
  "$here/alertmanager.yml" > "$made"
if [ -z "${ALERTMANAGER_WEBHOOK_URL:-}" ]; then
  # The route to nowhere and its receiver go.
  sed -i -e '/receiver: webhook/,/continue: true/d' -e '/^  - name: webhook/,$d' "$made"
  sed -i -e '/^    routes:$/{n;}' -e '/# Everything goes to the webhook/d' "$made"
fi
exec alertmanager --config.file="$made" "$@"
