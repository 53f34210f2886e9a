//! A disk in memory that can be cut from its power, filled up and made to fail: for tests.
//!
//! Each file has what a reader sees now and what a power cut would leave; in between lies a set of 512-byte
//! sectors, any of which may have reached the disk already. Names are the same: any of the changes since the
//! last `sync_dir` may survive. A sync that fails drops what it was to write and will not say so again, as
//! Linux does. Deterministic for a seed. Knows nothing of what is written.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Error, ErrorKind, Result};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::disk::{CORRUPT, Disk, Listed, Opened, SegmentFile, SegmentWriter};
use super::format::index;

const SECTOR: usize = 512;

/// Random numbers that are the same for the same seed (splitmix64).
#[derive(Clone, Debug)]
pub struct Chance(u64);

impl Chance {
    /// Begins at a seed.
    #[must_use]
    pub fn new(seed: u64) -> Chance {
        Chance(seed)
    }

    /// Any number.
    pub fn any(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut x = self.0;
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ (x >> 31)
    }

    /// A number below `n` (0 if that is 0).
    pub fn below(&mut self, n: u64) -> u64 {
        self.any().checked_rem(n).unwrap_or(0)
    }

    /// True once in `n` times.
    pub fn once_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }
}

#[derive(Clone, Debug)]
enum Change {
    Named(String, u64),
    Renamed(String, String),
    Removed(String),
}

#[derive(Default)]
struct Inode {
    now: Vec<u8>,
    /// What a power cut leaves at least; empty until the first sync, as the length itself is not written yet.
    safe: Vec<u8>,
    dirty: BTreeSet<usize>,
}

struct State {
    names: BTreeMap<String, u64>,
    safe_names: BTreeMap<String, u64>,
    changes: Vec<Change>,
    inodes: BTreeMap<u64, Inode>,
    next_inode: u64,
    /// Counts power cuts and kills: files opened before one are dead.
    life: u64,
    free: u64,
    failing_syncs: u64,
    failing_stores: u64,
    /// How many more steps of stores are made before the process is dead, if it is to die.
    steps_left: Option<u64>,
    syncs: u64,
    chance: Chance,
}

/// The disk. Clones are the same disk.
#[derive(Clone)]
pub struct SimDisk(Arc<Mutex<State>>);

impl SimDisk {
    /// An empty disk without limits.
    #[must_use]
    pub fn new(seed: u64) -> SimDisk {
        SimDisk(Arc::new(Mutex::new(State {
            names: BTreeMap::new(),
            safe_names: BTreeMap::new(),
            changes: Vec::new(),
            inodes: BTreeMap::new(),
            next_inode: 1,
            life: 0,
            free: u64::MAX,
            failing_syncs: 0,
            failing_stores: 0,
            steps_left: None,
            syncs: 0,
            chance: Chance::new(seed),
        })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Cuts the power: any part of what was not synced is gone, and every open file is dead.
    pub fn power_cut(&self, seed: u64) {
        self.state().power_cut(&mut Chance::new(seed));
    }

    /// Ends the process: every open file is dead, nothing that was stored is gone.
    pub fn kill(&self) {
        let mut state = self.state();
        state.life += 1;
        state.steps_left = None;
    }

    /// Stores go on for this many steps (a record takes three) and have no effect after them, as if the
    /// process were killed there; [`SimDisk::kill`] then ends it.
    pub fn die_after(&self, steps: u64) {
        self.state().steps_left = Some(steps);
    }

    /// True if the process has come to the end that [`SimDisk::die_after`] set.
    #[must_use]
    pub fn dead(&self) -> bool {
        self.state().steps_left == Some(0)
    }

    /// How many bytes can still be taken by new files.
    pub fn set_free_bytes(&self, bytes: u64) {
        self.state().free = bytes;
    }

    /// Lets the next `n` syncs fail.
    pub fn fail_syncs(&self, n: u64) {
        self.state().failing_syncs = n;
    }

    /// Lets the next `n` stores fail.
    pub fn fail_stores(&self, n: u64) {
        self.state().failing_stores = n;
    }

    /// How many syncs of files succeeded.
    #[must_use]
    pub fn syncs(&self) -> u64 {
        self.state().syncs
    }

    /// The bytes of a file as a reader sees them now.
    #[must_use]
    pub fn bytes_of(&self, name: &str) -> Option<Vec<u8>> {
        let state = self.state();
        let inode = state.names.get(name)?;
        Some(state.inodes.get(inode)?.now.clone())
    }

    /// Puts a file there, with all its bytes safe.
    pub fn place(&self, name: &str, bytes: &[u8]) {
        let mut state = self.state();
        let inode = state.add(Inode { now: bytes.to_vec(), safe: bytes.to_vec(), dirty: BTreeSet::new() });
        state.names.insert(name.to_owned(), inode);
        state.safe_names.insert(name.to_owned(), inode);
    }
}

impl State {
    fn add(&mut self, inode: Inode) -> u64 {
        let number = self.next_inode;
        self.next_inode += 1;
        self.inodes.insert(number, inode);
        number
    }

    fn named(&self, name: &str) -> Result<u64> {
        self.names.get(name).copied().ok_or_else(|| ErrorKind::NotFound.into())
    }

    fn power_cut(&mut self, chance: &mut Chance) {
        self.life += 1;
        self.steps_left = None;
        self.failing_syncs = 0;
        self.failing_stores = 0;
        // Mostly a prefix, as journalling file systems have it; sometimes any part.
        let any_part = chance.once_in(2);
        let prefix = chance.below(self.changes.len() as u64 + 1);
        let changes = std::mem::take(&mut self.changes);
        for (i, change) in changes.into_iter().enumerate() {
            if if any_part { chance.once_in(2) } else { (i as u64) < prefix } {
                apply(&mut self.safe_names, change);
            }
        }
        self.names = self.safe_names.clone();
        let all = chance.below(4);
        for inode in self.inodes.values_mut() {
            if inode.safe.len() < inode.now.len() && chance.once_in(2) {
                inode.safe.resize(inode.now.len(), 0);
            }
            for sector in std::mem::take(&mut inode.dirty) {
                // Sometimes nearly all or nearly nothing survives.
                let survives = match all {
                    0 => !chance.once_in(20),
                    1 => chance.once_in(20),
                    _ => chance.once_in(2),
                };
                if survives {
                    inode.write_back(sector);
                }
            }
            inode.now = inode.safe.clone();
        }
        self.forget_unnamed();
    }

    fn forget_unnamed(&mut self) {
        let named: BTreeSet<u64> = self.names.values().chain(self.safe_names.values()).copied().collect();
        let before: u64 = self.inodes.values().map(|i| i.now.len() as u64).sum();
        self.inodes.retain(|number, _| named.contains(number));
        let after: u64 = self.inodes.values().map(|i| i.now.len() as u64).sum();
        self.free = self.free.saturating_add(before - after);
    }

    /// One step of a store; false if the process has died.
    fn step(&mut self) -> bool {
        match &mut self.steps_left {
            None => true,
            Some(0) => false,
            Some(left) => {
                *left -= 1;
                true
            }
        }
    }

    fn store(&mut self, inode: u64, at: u64, bytes: &[u8]) {
        if bytes.is_empty() || !self.step() {
            return;
        }
        let early = self.chance.once_in(50);
        if let Some(inode) = self.inodes.get_mut(&inode) {
            let at = index(at);
            inode.now[at..at + bytes.len()].copy_from_slice(bytes);
            for sector in at / SECTOR..=(at + bytes.len() - 1) / SECTOR {
                inode.dirty.insert(sector);
                if early {
                    inode.write_back(sector);
                }
            }
        }
    }
}

fn apply(names: &mut BTreeMap<String, u64>, change: Change) {
    match change {
        Change::Named(name, inode) => {
            names.insert(name, inode);
        }
        Change::Renamed(from, to) => {
            if let Some(inode) = names.remove(&from) {
                names.insert(to, inode);
            }
        }
        Change::Removed(name) => {
            names.remove(&name);
        }
    }
}

impl Inode {
    fn write_back(&mut self, sector: usize) {
        let range = sector * SECTOR..((sector + 1) * SECTOR).min(self.now.len());
        if let (Some(to), Some(from)) = (self.safe.get_mut(range.clone()), self.now.get(range)) {
            to.copy_from_slice(from);
        }
    }
}

impl SimDisk {
    fn change(&self, change: Change) {
        let mut state = self.state();
        if state.steps_left != Some(0) {
            apply(&mut state.names, change.clone());
            state.changes.push(change);
        }
    }

    fn handles(&self, inode: u64) -> Opened {
        let life = self.state().life;
        let file = SimFile { disk: self.clone(), inode, life };
        Opened { out: Box::new(file.clone()), file: Arc::new(file) }
    }
}

impl Disk for SimDisk {
    fn create(&self, name: &str, len: u64) -> Result<Opened> {
        let inode = {
            let mut state = self.state();
            if state.names.contains_key(name) {
                return Err(ErrorKind::AlreadyExists.into());
            }
            state.free = state.free.checked_sub(len).ok_or(ErrorKind::StorageFull)?;
            state.add(Inode { now: vec![0; index(len)], ..Inode::default() })
        };
        self.change(Change::Named(name.to_owned(), inode));
        Ok(self.handles(inode))
    }

    fn reopen(&self, name: &str) -> Result<Opened> {
        let inode = self.state().named(name)?;
        Ok(self.handles(inode))
    }

    fn open(&self, name: &str) -> Result<Arc<dyn SegmentFile>> {
        let inode = self.state().named(name)?;
        Ok(self.handles(inode).file)
    }

    fn list(&self, corrupt: bool) -> Result<Vec<Listed>> {
        let state = self.state();
        let folder = format!("{CORRUPT}/");
        let listed = state.names.iter().filter_map(|(name, inode)| {
            let name = match (name.strip_prefix(&folder), corrupt) {
                (Some(inner), true) => inner,
                (None, false) => name,
                _ => return None,
            };
            Some(Listed { name: name.to_owned(), len: state.inodes.get(inode)?.now.len() as u64 })
        });
        Ok(listed.collect())
    }

    fn rename(&self, from: &str, to: &str) -> Result<()> {
        self.state().named(from)?;
        self.change(Change::Renamed(from.to_owned(), to.to_owned()));
        Ok(())
    }

    fn link(&self, from: &str, to: &str) -> Result<()> {
        let inode = self.state().named(from)?;
        if self.state().named(to).is_ok() {
            return Err(ErrorKind::AlreadyExists.into());
        }
        self.change(Change::Named(to.to_owned(), inode));
        Ok(())
    }

    fn remove(&self, name: &str) -> Result<()> {
        self.state().named(name)?;
        self.change(Change::Removed(name.to_owned()));
        Ok(())
    }

    fn sync_dir(&self) -> Result<()> {
        let mut state = self.state();
        if state.failing_syncs > 0 {
            state.failing_syncs -= 1;
            return Err(Error::other("the simulated disk is broken"));
        }
        if state.step() {
            state.changes.clear();
            state.safe_names = state.names.clone();
            state.forget_unnamed();
        }
        Ok(())
    }
}

#[derive(Clone)]
struct SimFile {
    disk: SimDisk,
    inode: u64,
    life: u64,
}

impl SimFile {
    /// The disk, if this file was opened in its present life and has these bytes.
    fn alive(&self, at: u64, len: usize) -> Result<MutexGuard<'_, State>> {
        let mut state = self.disk.state();
        if state.failing_stores > 0 {
            state.failing_stores -= 1;
            return Err(Error::other("the simulated disk is broken"));
        }
        let end = at.saturating_add(len as u64);
        let size = state.inodes.get(&self.inode).map_or(0, |i| i.now.len() as u64);
        if state.life != self.life || end > size {
            return Err(ErrorKind::InvalidInput.into());
        }
        Ok(state)
    }
}

impl SegmentWriter for SimFile {
    fn put(&mut self, at: u64, record: &[u8]) -> Result<()> {
        let mut state = self.alive(at, record.len())?;
        let (head, body) = record.split_at(8.min(record.len()));
        let (first, second) = body.split_at(body.len() / 2);
        state.store(self.inode, at + 8, first);
        state.store(self.inode, at + 8 + first.len() as u64, second);
        state.store(self.inode, at, head);
        Ok(())
    }

    fn write_at(&mut self, at: u64, bytes: &[u8]) -> Result<()> {
        let mut state = self.alive(at, bytes.len())?;
        let (first, second) = bytes.split_at(bytes.len() / 2);
        state.store(self.inode, at, first);
        state.store(self.inode, at + first.len() as u64, second);
        Ok(())
    }
}

impl SegmentFile for SimFile {
    fn len(&self) -> u64 {
        self.disk.state().inodes.get(&self.inode).map_or(0, |i| i.now.len() as u64)
    }

    fn read_at(&self, at: u64, buf: &mut [u8]) -> Result<usize> {
        let state = self.disk.state();
        let bytes = state.inodes.get(&self.inode).map_or(&[][..], |i| &i.now);
        let from = bytes.get(index(at)..).unwrap_or_default();
        let n = from.len().min(buf.len());
        buf[..n].copy_from_slice(&from[..n]);
        Ok(n)
    }

    fn sync(&self) -> Result<()> {
        let mut state = self.disk.state();
        if state.life != self.life {
            return Err(ErrorKind::InvalidInput.into());
        }
        let fails = state.failing_syncs > 0;
        if !fails && !state.step() {
            return Ok(());
        }
        state.failing_syncs = state.failing_syncs.saturating_sub(1);
        let mut chance = state.chance.clone();
        if let Some(inode) = state.inodes.get_mut(&self.inode) {
            let len = inode.now.len();
            inode.safe.resize(len, 0);
            for sector in std::mem::take(&mut inode.dirty) {
                if !fails || chance.once_in(2) {
                    inode.write_back(sector);
                }
            }
        }
        state.chance = chance;
        if fails {
            return Err(Error::other("the simulated disk is broken"));
        }
        state.syncs += 1;
        Ok(())
    }

    fn warm(&self, _: u64, _: u64) {}

    fn fill(&self, _: u64) -> Result<()> {
        Ok(())
    }
}
