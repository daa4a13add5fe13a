/** Mount points, forecasts, means and schedules: text and numbers in, decisions out. */
import { expect, test } from 'vitest';
import { meanCpu, recent, secondsToFull } from '../../../agent/telemetry/measures.ts';
import { linuxMounts } from '../../../agent/telemetry/mounts.ts';
import { cronMatcher, onSchedule } from '../../../agent/telemetry/schedule.ts';
import { NEVER_FULL_S } from '../../../protocol/alert-rules.ts';
import type { Sample } from '../../../protocol/telemetry.ts';
import { TestClock } from '../support.ts';

const MINUTE = 60_000;

const MOUNTINFO = `22 27 0:21 / /proc rw,relatime - proc proc rw
24 27 0:6 / /dev rw,relatime - devtmpfs devtmpfs rw,size=12334492k
27 1 254:0 / / rw,relatime - ext4 /dev/vda rw,discard
28 27 254:0 /var/lib/x /mnt/bound rw - ext4 /dev/vda rw
31 27 8:17 / /srv/video\\040archive rw,nosuid shared:9 - xfs /dev/sdb1 rw
32 27 8:17 / /srv/a rw,nosuid shared:9 - xfs /dev/sdb1 rw
33 27 0:44 /@home /home rw - btrfs /dev/sdc rw,subvol=/@home
34 27 0:45 /@var /var rw - btrfs /dev/sdc rw,subvol=/@var
35 27 7:3 / /snap/core/1 ro,nodev - squashfs /dev/loop3 ro
36 27 0:50 / /mnt/share rw - nfs4 10.0.0.1:/x rw
37 27 11:0 / /media/cd ro - iso9660 /dev/sr0 ro
38 27 8:33 / /mnt/backup ro,noatime - ext4 /dev/sdd1 ro
39 27 0:60 / /tank/data rw - zfs tank/data rw
40 27 0:61 / /tank/other rw - zfs tank/other rw
41 27 0:62 / /tmp rw - tmpfs tmpfs rw
42 27 0:63 / /var/lib/docker/overlay2/x/merged rw - overlay overlay rw
43 27 8:2 / /boot/efi rw - vfat /dev/sda2 rw
`;

test('T13, T14 one entry for each local disk, under its shortest name', () => {
  expect(linuxMounts(MOUNTINFO)).toEqual(['/', '/boot/efi', '/srv/a', '/tank/data', '/var']);
  expect(linuxMounts('31 27 8:17 / /srv/video\\040archive rw - xfs /dev/sdb1 rw')).toEqual([
    '/srv/video archive',
  ]);
});

test('T14 a container sees its own root and nothing else', () => {
  const root = '1 0 0:63 / / rw - overlay overlay rw\n2 1 0:64 / /x rw - overlay overlay rw';
  expect(linuxMounts(root)).toEqual(['/']);
  expect(linuxMounts('')).toEqual([]);
  expect(linuxMounts('nonsense\n - \n1 2 3 4 5')).toEqual([]);
});

test('T13 no more disks than a sample takes', () => {
  const many = Array.from({ length: 200 }, (_, n) => `${n} 1 8:${n} / /m${n} rw - ext4 /dev/x${n} rw`).join(
    '\n',
  );
  expect(linuxMounts(many)).toHaveLength(64);
});

function samples(minutes: number, of: (minute: number) => { cpu?: number | null; free?: number }): Sample[] {
  return Array.from({ length: minutes }, (_, n) => {
    const { cpu = 0, free } = of(n);
    const disk = { index: 0, usedPermille: 1, totalMb: 1_000_000, inodesUsedPermille: null };
    return {
      at: n * MINUTE,
      cpuPermille: cpu,
      memUsedPermille: 1,
      memTotalMb: 1,
      uptimeSeconds: 1,
      disks: free === undefined ? [] : [{ ...disk, freeMb: free }],
    };
  });
}

test('T16 the mean of ten minutes, and none from half of them', () => {
  const load = samples(30, (n) => ({ cpu: n < 20 ? 0 : 900 }));
  expect(meanCpu(load, 29 * MINUTE, 90_000)).toBe(900);
  expect(meanCpu(load.slice(0, 25), 24 * MINUTE, 90_000)).toBe(450);
  expect(meanCpu(load.slice(0, 8), 7 * MINUTE, 90_000)).toBeNull();
  expect(
    meanCpu(
      load.filter(({ at }) => at % (3 * MINUTE) === 0),
      27 * MINUTE,
      90_000,
    ),
  ).toBeNull();
  // One sample an hour stands for all of it.
  expect(meanCpu(load.slice(29), 29 * MINUTE, 90 * MINUTE)).toBe(900);
  expect(recent(load, 90 * MINUTE)).toEqual([]);
  expect(recent(load, 10 * MINUTE)).toHaveLength(11);
});

test('T16 when a disk is full, by the slope of the last hour', () => {
  const falling = samples(60, (n) => ({ free: 100_000 - n * 100 }));
  expect(secondsToFull(falling, 0)).toBe(Math.round(((100_000 - 5900) / 100) * 60));
  expect(secondsToFull(falling.slice(0, 14), 0)).toBeNull();
  expect(secondsToFull(falling, 7)).toBeNull();
  expect(
    secondsToFull(
      samples(60, (n) => ({ free: 100 + n })),
      0,
    ),
  ).toBe(NEVER_FULL_S);
  expect(
    secondsToFull(
      samples(60, () => ({ free: 100 })),
      0,
    ),
  ).toBe(NEVER_FULL_S);
  expect(
    secondsToFull(
      samples(60, () => ({ free: 0 })),
      0,
    ),
  ).toBe(NEVER_FULL_S);
});

test('T20 a schedule is kept in site time, by the clock that is handed in, also over the change to summer time', async () => {
  const clock = new TestClock();
  clock.wall = Date.UTC(2027, 2, 27, 12);
  const ran: string[] = [];
  const matches = await cronMatcher('40 4 * * *', 'Europe/Copenhagen');
  const cancel = onSchedule(clock, matches, () => ran.push(new Date(clock.wall).toISOString()));
  for (let minute = 0; minute < 3 * 24 * 60; minute++) clock.advance(MINUTE);
  expect(ran).toEqual(['2027-03-28T02:40:00.000Z', '2027-03-29T02:40:00.000Z', '2027-03-30T02:40:00.000Z']);
  cancel();
  for (let minute = 0; minute < 2 * 24 * 60; minute++) clock.advance(MINUTE);
  expect(ran).toHaveLength(3);
});

test('T20 slept over it: once; set back: not again', async () => {
  const clock = new TestClock();
  clock.wall = Date.UTC(2027, 0, 10, 3);
  let ran = 0;
  onSchedule(clock, await cronMatcher('40 4 * * *', 'UTC'), () => {
    ran += 1;
  });
  clock.wall += 5 * 60 * MINUTE;
  clock.advance(MINUTE);
  expect(ran).toBe(1);
  clock.wall -= 5 * 60 * MINUTE;
  for (let minute = 0; minute < 6 * 60; minute++) clock.advance(MINUTE);
  expect(ran).toBe(1);
  // A week asleep: the last day of it is looked at.
  clock.wall += 7 * 24 * 60 * MINUTE;
  clock.advance(MINUTE);
  expect(ran).toBe(2);
});
