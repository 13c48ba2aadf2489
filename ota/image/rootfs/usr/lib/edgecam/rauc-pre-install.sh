#!/bin/sh
# Asked by RAUC before anything is written, whoever ordered the update.
exec /usr/bin/edgecamd update-handler pre-install
