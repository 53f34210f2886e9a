//! Processes: the CPU time they used, the memory they have, and the cores they may use.
//!
//! Guarantees: a process's time is that of all its threads, also of those that have ended, and of all its
//! descendants; its memory is theirs too. Refuses to know: which server the process is.
//!
//! The kernel keeps these times exactly and shows them in steps of 10 ms, so a round should burn seconds.

use std::collections::HashMap;
use std::fs;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// `USER_HZ`, in which Linux shows times on every machine of today: 100 a second.
const MILLIS_A_TICK: u64 = 10;

/// What one line of `/proc/PID/stat` tells us.
struct Stat {
    parent: u32,
    own_ticks: u64,
    reaped_ticks: u64,
}

fn read_stat(pid: u32) -> Result<Stat> {
    let path = format!("/proc/{pid}/stat");
    let line = fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
    let (_, after) = line.rsplit_once(')').with_context(|| format!("{path} has an unknown form"))?;
    let fields: Vec<&str> = after.split_ascii_whitespace().collect();
    let field = |n: usize| -> Result<u64> {
        let text = fields.get(n).with_context(|| format!("{path} is too short"))?;
        Ok(text.parse()?)
    };
    // Counted from the state, which is the first after the name: ppid, utime, stime, cutime, cstime.
    Ok(Stat {
        parent: u32::try_from(field(1)?)?,
        own_ticks: field(11)? + field(12)?,
        reaped_ticks: field(13)? + field(14)?,
    })
}

/// All processes that run now, with their parent.
fn parents() -> Result<HashMap<u32, u32>> {
    let mut found = HashMap::new();
    for entry in fs::read_dir("/proc")? {
        let Some(pid) = entry?.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else {
            continue;
        };
        // One that ends between the listing and the reading is no longer anybody's child.
        if let Ok(stat) = read_stat(pid) {
            found.insert(pid, stat.parent);
        }
    }
    Ok(found)
}

/// `roots` and all that descends from them.
fn family(roots: &[u32]) -> Result<Vec<u32>> {
    let parents = parents()?;
    let mut family = roots.to_vec();
    let mut next = 0;
    while let Some(&parent) = family.get(next) {
        for (&child, _) in parents.iter().filter(|&(_, &of)| of == parent) {
            if !family.contains(&child) {
                family.push(child);
            }
        }
        next += 1;
    }
    Ok(family)
}

/// User and system time used so far by `roots` and all that descends from them.
pub(crate) fn cpu_of(roots: &[u32]) -> Result<Duration> {
    let mut ticks = 0;
    for pid in family(roots)? {
        match read_stat(pid) {
            Ok(stat) => ticks += stat.own_ticks + stat.reaped_ticks,
            Err(error) if roots.contains(&pid) => return Err(error),
            Err(_) => {}
        }
    }
    Ok(Duration::from_millis(ticks * MILLIS_A_TICK))
}

/// What of a process's memory is in RAM, in KiB.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Memory {
    /// All of it: `VmRSS`. Pages of files and pages that processes share are in it, for each process.
    pub(crate) resident: u64,
    /// What is neither a file's nor shared: `RssAnon`.
    pub(crate) anonymous: u64,
}

/// Memory of a process and all that descends from it.
pub(crate) fn memory_of(root: u32) -> Result<Memory> {
    let mut sum = Memory::default();
    for pid in family(&[root])? {
        let path = format!("/proc/{pid}/status");
        match fs::read_to_string(&path).with_context(|| format!("cannot read {path}")) {
            Ok(text) => {
                sum.resident += field(&text, "VmRSS:").unwrap_or(0);
                sum.anonymous += field(&text, "RssAnon:").unwrap_or(0);
            }
            Err(error) if pid == root => return Err(error),
            Err(_) => {}
        }
    }
    ensure!(sum.resident > 0, "process {root} has no memory, so it has ended");
    Ok(sum)
}

/// A field in kB of `/proc/PID/status`; one that has ended and was not waited for has none.
fn field(status: &str, name: &str) -> Option<u64> {
    let rest = status.lines().find_map(|line| line.strip_prefix(name))?;
    rest.trim().strip_suffix("kB")?.trim().parse().ok()
}

/// User and system time of this process.
pub(crate) fn own_cpu() -> Result<Duration> {
    let pid = std::process::id();
    let stat = read_stat(pid)?;
    Ok(Duration::from_millis(stat.own_ticks * MILLIS_A_TICK))
}

/// Binds the calling thread, and what it starts from now on, to one core.
pub(crate) fn pin(core: usize) -> Result<()> {
    let mut set = CpuSet::new();
    set.set(core);
    sched_setaffinity(None, &set).with_context(|| format!("cannot use core {core}"))
}

/// Does `work` while the calling thread is bound to `core`, then frees it again: a child started meanwhile stays bound.
pub(crate) fn pinned<T>(core: Option<usize>, work: impl FnOnce() -> Result<T>) -> Result<T> {
    let Some(core) = core else { return work() };
    let before = sched_getaffinity(None)?;
    pin(core)?;
    let done = work();
    sched_setaffinity(None, &before)?;
    done
}

#[cfg(test)]
mod tests {
    use super::{field, memory_of};

    #[test]
    fn memory_is_read_in_kib() {
        let status = "Name:\tx\nVmRSS:\t    5120 kB\nRssAnon:\t    1024 kB\n";
        assert_eq!(field(status, "VmRSS:"), Some(5120));
        assert_eq!(field(status, "RssFile:"), None);
        let own = memory_of(std::process::id()).unwrap();
        assert!(own.resident >= own.anonymous && own.anonymous > 0, "{own:?}");
    }
}
