//! Facts about the machine, read from the kernel: heat, load, memory, disk.

use std::fs::read_to_string;
use std::path::Path;

/// What the machine has and uses now. `None`: this machine does not say.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Machine {
    /// Temperature of the processor, °C.
    pub(crate) temperature_c: Option<f32>,
    /// Mean number of processes that want to run, over one minute.
    pub(crate) load_1m: f32,
    /// Memory, bytes.
    pub(crate) memory_total: u64,
    /// Memory that programs can still have, bytes.
    pub(crate) memory_available: u64,
    /// Size of the file system of the data folder, bytes.
    pub(crate) disk_total: u64,
    /// Free room there, bytes.
    pub(crate) disk_free: u64,
}

impl Machine {
    /// Looks at the machine; `data` is on the disk that is meant, `sensor` speaks in m°C.
    pub(crate) fn read(data: &Path, sensor: &Path) -> Self {
        let memory = read_to_string("/proc/meminfo").unwrap_or_default();
        let disk = rustix::fs::statvfs(data).ok();
        Self {
            temperature_c: celsius(sensor),
            load_1m: load(&read_to_string("/proc/loadavg").unwrap_or_default()),
            memory_total: kibibytes(&memory, "MemTotal:"),
            memory_available: kibibytes(&memory, "MemAvailable:"),
            disk_total: disk.as_ref().map_or(0, |disk| disk.f_blocks * disk.f_frsize),
            disk_free: disk.as_ref().map_or(0, |disk| disk.f_bavail * disk.f_frsize),
        }
    }
}

/// Resident memory of the process `pid` in bytes; `None` when it is gone.
pub(crate) fn resident_bytes(pid: u32) -> Option<u64> {
    let status = read_to_string(format!("/proc/{pid}/status")).ok()?;
    Some(kibibytes(&status, "VmRSS:")).filter(|bytes| *bytes > 0)
}

fn celsius(sensor: &Path) -> Option<f32> {
    let milli: f32 = read_to_string(sensor).ok()?.trim().parse().ok()?;
    Some(milli / 1000.0)
}

fn load(text: &str) -> f32 {
    text.split_whitespace().next().and_then(|word| word.parse().ok()).unwrap_or_default()
}

/// The value of a line `key   123 kB`, in bytes; 0 where there is none.
fn kibibytes(text: &str, key: &str) -> u64 {
    let value = text.lines().find_map(|line| line.strip_prefix(key));
    let number = value.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok());
    number.unwrap_or_default() * 1024
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_has_memory_and_a_disk() {
        let machine = Machine::read(Path::new("/"), Path::new("/nonexistent"));
        assert!(machine.memory_total > machine.memory_available && machine.memory_available > 0);
        assert!(machine.disk_total >= machine.disk_free && machine.disk_total > 0);
        assert_eq!(machine.temperature_c, None);
    }

    #[test]
    fn this_process_takes_memory_and_one_that_is_gone_does_not() {
        assert!(resident_bytes(std::process::id()).is_some_and(|bytes| bytes > 1 << 20));
        assert_eq!(resident_bytes(u32::MAX), None);
    }
}
