/** The commented `agent.yaml` that installers lay down. It parses to the defaults; a test holds it to that. */

const EXAMPLE = `# Tilsyn agent. Every setting is shown with its default; a file with nothing in it does the same.
# An unknown key is an error, so that a slip of the pen cannot switch something off.

# What this machine is watched for. null: detect what is installed, and report it.
# A list replaces detection:
#
# sources:
#   - type: teamviewer
#     # Sessions into this machine, one row each. Left out: detected.
#     connectionsIncoming: /path/Connections_incoming.txt
#     # Sessions from this machine to others, of one user.
#     connections: /path/Connections.txt
#     # Start, address and sign-in of sessions that still run.
#     logfile: /path/TeamViewer15_Logfile.log
#     # now: what was in the files before the source was added is passed over and counted.
#     # beginning: all of it is read; for managed machines only.
#     startFrom: now
#   - type: sshd
#     # Left out: detected.
#     path: /var/log/auth.log
#     # listed: those of the lists below only. all: every sign-in. Has to be said.
#     match: listed
#     # Who the remote sessions are expected from.
#     listed:
#       # Accounts of this machine.
#       accounts: [support]
#       # Fingerprints of keys, as "ssh-keygen -l" shows them.
#       keys: ["SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"]
#       # Addresses and networks.
#       networks: [198.51.100.0/24]
#     # As for TeamViewer.
#     startFrom: now
#   - type: anydesk
#     # Left out: detected. The trace of the service, or of the program.
#     trace: /path/ad_svc.trace
#     # Starts of sessions, to the minute.
#     connections: /path/connection_trace.txt
#     # As for TeamViewer.
#     startFrom: now
#   - type: rustdesk
#     # Left out: detected. The log of the server part.
#     logfile: /path/rustdesk_rCURRENT.log
#     # As for TeamViewer.
#     startFrom: now
#   - type: rdp
#     # Windows' own remote desktop, from its event log. As for sshd.
#     match: all
#     # As for sshd; null: nobody.
#     listed: null
#     # As for TeamViewer.
#     startFrom: now
#   - type: declared
#     # How another tool's log is to be read: the path of a declaration, or one that comes with
#     # Tilsyn: ultraviewer, supremo, x11vnc. See docs/guide/sources.md.
#     spec: /etc/tilsyn/tool.yaml
#     # Instead of the files that the declaration names.
#     path: /path/tool.log
#     # As for TeamViewer.
#     startFrom: now
#   - type: csv
#     # As for declared; teamviewer-report and talk2m come with Tilsyn.
#     spec: teamviewer-report
#     # A connection report, as exported.
#     path: /path/report.csv
#     # As for TeamViewer.
#     startFrom: now
#   - type: recordings
#     # Roots are named by a person; a list of nothing else leaves remote tools to be detected.
#     # The folder that the recorder writes to, and nothing else does.
#     root: /srv/nvr/recordings
#     # Name of a recorder's folder layout, or a declared pattern: docs/guide/recorders.md.
#     layout: frigate
#     # Of the times in file names.
#     timeZone: UTC
#     # Longest time that one file covers, 1s to 7d; null: as the layout says.
#     longestSegment: null
#     # report: nothing is erased. erase: what has expired and is not held is.
#     mode: report
#     # Whether the recorder erases by itself, so that what a hold covers is copied to the vault (below).
#     # null: true with mode: report, false with mode: erase.
#     recorderDeletes: null
sources: null

# Health of the machine: processor, memory, uptime, disks. "telemetry: off" measures and sends none of it, and
# watches Tilsyn itself only: its disk, its clock, what waits to be sent.
telemetry:
  # Time between two readings, 10s to 1d.
  every: 60s
  # Which alerts are sent on: audit (about Tilsyn itself and its disks), all, none.
  notify: audit

# Whatever a policy says, no recording younger than this is erased. At least 1d.
neverEraseYoungerThan: P3D

# When legal holds may not be known here any more.
holds:
  # Without word from the collector for longer than this, nothing is erased. 1h to 30d.
  holdFreshness: 24h
  # How long erasing may wait for the collector: never means it waits for ever.
  deferAtMost: never
  # Where held recordings are copied to, of sources whose recorder erases by itself.
  vault:
    # A folder of its own, best on another volume than the recordings; its parent has to be there.
    # null: "vault" in the state directory.
    path: null
    # Most that may lie in it, such as "500 GB"; null: no limit but the next one.
    quota: null
    # Nothing is copied that would leave less room for recording on its volume, in hours.
    leaveHours: 6
    # Most that is read for it in a second.
    ratePerSecond: 20 MB

# Five cron fields each, in the site's time zone.
schedule:
  # When what has expired is erased.
  sweep: "17 * * * *"
  # When the agent checks itself and its catalogue.
  selfAudit: "0 3 * * *"
  # When system, virtualisation and names of disks are asked for anew. Not asked for without telemetry.
  inventory: "40 4 * * *"

# HTTP proxy on the way to the collector: http://host:port, without user and password. null: none.
proxy: null
`;

/** Text of an `agent.yaml` with every field commented. */
export function exampleConfig(): string {
  return EXAMPLE;
}
