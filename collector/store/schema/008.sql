-- What remote tools call devices. Ids of ours and positions only: what a device is called lies sealed.

CREATE TABLE devices (                  -- projection
  agent TEXT PRIMARY KEY,
  pos   INTEGER NOT NULL                -- newest device.known leaf with a sealed part
) STRICT;
