//! The contenders of the bench: what each is, and how it is started.
//!
//! Guarantees: all lead the same number of codes to the same targets before they are measured; each works in a folder of
//! its own, and a second start there finds what the first one made. Refuses to know: how they are measured.

use std::fs::{self, File};
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::ValueEnum;

use crate::mix;
use crate::numbers::per_second;
use crate::redis_server::Redis;
use crate::seed::{self, Stories};
use crate::servers::{self, Server};

/// Codes that are asked for, however many a contender holds.
pub(crate) const ASKED: u64 = 10_000;

/// A way to answer a redirect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Contender {
    /// nginx, a constant redirect, no log
    Nginx,
    /// nginx, a constant redirect, with its access log
    NginxLog,
    /// axum with a map in memory; counts nothing
    Bare,
    /// axum with one GET and one INCR at Redis for each request
    Obvious,
    /// Slugline on SQLite
    Slugline,
    /// Slugline on Redis
    SluglineRedis,
    /// The other build of Slugline (`--also`), on SQLite
    SluglineB,
}

impl Contender {
    /// Its name in tables.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Nginx => "nginx",
            Self::NginxLog => "nginx with log",
            Self::Bare => "bare axum",
            Self::Obvious => "axum and Redis",
            Self::Slugline => "Slugline",
            Self::SluglineRedis => "Slugline on Redis",
            Self::SluglineB => "Slugline (B)",
        }
    }

    /// What it does for a redirect.
    pub(crate) fn does(self) -> &'static str {
        match self {
            Self::Nginx => "`return 302`, the same for all; no log",
            Self::NginxLog => "`return 302`, the same for all; a line in the access log",
            Self::Bare => "looks the code up in a `HashMap`; nothing is logged or counted",
            Self::Obvious => "one `GET` and one `INCR` in a pipeline; a total for each code",
            Self::Slugline => "looks up, journals, classifies, counts by all dimensions; on SQLite",
            Self::SluglineRedis => "looks up, journals, classifies, counts by all dimensions; on Redis",
            Self::SluglineB => "another build of Slugline, on SQLite",
        }
    }

    /// Where it says how many it counted, if it counts.
    pub(crate) fn counts_in(self) -> Option<&'static str> {
        match self {
            Self::Nginx | Self::Bare => None,
            Self::NginxLog => Some("lines of its access log"),
            Self::Obvious => Some("sum of its counters in Redis"),
            Self::Slugline | Self::SluglineRedis | Self::SluglineB => Some("its report, once nothing waits"),
        }
    }

    pub(crate) fn is_slugline(self) -> bool {
        matches!(self, Self::Slugline | Self::SluglineRedis | Self::SluglineB)
    }

    pub(crate) fn needs_nginx(self) -> bool {
        matches!(self, Self::Nginx | Self::NginxLog)
    }

    pub(crate) fn needs_redis(self) -> bool {
        matches!(self, Self::Obvious | Self::SluglineRedis)
    }

    fn folder(self) -> &'static str {
        match self {
            Self::Nginx => "nginx",
            Self::NginxLog => "nginx-log",
            Self::Bare => "bare",
            Self::Obvious => "obvious",
            Self::Slugline => "slugline",
            Self::SluglineRedis => "slugline-redis",
            Self::SluglineB => "slugline-b",
        }
    }
}

/// The programs that contenders are.
pub(crate) struct Programs {
    pub(crate) nginx: PathBuf,
    pub(crate) redis_server: PathBuf,
    pub(crate) bare: PathBuf,
    pub(crate) obvious: PathBuf,
    pub(crate) slugline: PathBuf,
    pub(crate) also: Option<PathBuf>,
}

/// A contender that runs, and the codes it is asked for.
pub(crate) struct Entrant {
    pub(crate) contender: Contender,
    pub(crate) server: Server,
    pub(crate) codes: Vec<String>,
}

/// What all contenders are started with.
pub(crate) struct Stable<'a> {
    pub(crate) programs: &'a Programs,
    /// Each has a folder below.
    pub(crate) folder: &'a Path,
    /// Links that each holds.
    pub(crate) links: u64,
    /// Workers of nginx where it is not bound to a core.
    pub(crate) workers: u64,
}

impl Stable<'_> {
    /// Starts one, bound to `core` with all that belongs to it.
    pub(crate) fn start(&self, contender: Contender, core: Option<usize>) -> Result<Entrant> {
        let folder = self.folder.join(contender.folder());
        let first = !folder.exists();
        fs::create_dir_all(&folder)?;
        let programs = self.programs;
        let workers = if core.is_some() { 1 } else { self.workers };
        let slugline = |program: &Path, redis: Option<Redis>| -> Result<Entrant> {
            let server = servers::slugline(program, &folder, core, redis)?;
            let codes = fill(&server, self.links, first)?;
            Ok(Entrant { contender, server, codes })
        };
        match contender {
            Contender::Nginx | Contender::NginxLog => {
                let log = contender == Contender::NginxLog;
                let server = servers::nginx(&programs.nginx, &folder, workers, core, log)?;
                Ok(Entrant { contender, server, codes: self.made_up_codes()? })
            }
            Contender::Bare => {
                let links = folder.join("links.txt");
                self.write_made_up(&links)?;
                let server = servers::bare(&programs.bare, &folder, core, &links)?;
                Ok(Entrant { contender, server, codes: self.made_up_codes()? })
            }
            Contender::Obvious => {
                let redis = Redis::start(&programs.redis_server, &folder, core)?;
                redis.put(self.made_up())?;
                let codes = self.made_up_codes()?;
                let server = servers::obvious(&programs.obvious, &folder, core, redis, &codes)?;
                Ok(Entrant { contender, server, codes })
            }
            Contender::Slugline => slugline(&programs.slugline, None),
            Contender::SluglineRedis => {
                let redis = Redis::start(&programs.redis_server, &folder, core)?;
                slugline(&programs.slugline, Some(redis))
            }
            Contender::SluglineB => {
                slugline(programs.also.as_ref().context("slugline-b needs --also")?, None)
            }
        }
    }

    /// Codes as long as the ones that Slugline draws.
    fn made_up_codes(&self) -> Result<Vec<String>> {
        mix::codes(None, self.links.min(ASKED))
    }

    /// Code and target of each link, for those who draw no codes.
    fn made_up(&self) -> impl Iterator<Item = (String, String)> {
        let stories = Stories::standard(1, self.links);
        (0..self.links).map(move |n| (mix::made_up(n), stories.url(n + 1)))
    }

    fn write_made_up(&self, file: &Path) -> Result<()> {
        let mut out = BufWriter::new(File::create(file)?);
        for (code, target) in self.made_up() {
            writeln!(out, "{code} {target}")?;
        }
        Ok(out.flush()?)
    }
}

/// Puts the links into a Slugline, those that are asked for first; gives the codes of these. What is there is found.
fn fill(slugline: &Server, links: u64, first: bool) -> Result<Vec<String>> {
    let api = slugline.api()?;
    let asked = seed::make(api, &Stories::standard(1, links.min(ASKED)), 1)?;
    let rest = links.saturating_sub(ASKED);
    if first && rest > 0 {
        let more = seed::make(api, &Stories::standard(ASKED + 1, rest), 2)?;
        println!("{rest} more links at {:.0}/s", per_second(rest, more.time));
    }
    Ok(asked.codes)
}
