//! What the store says, with the sums that must hold in it at any moment.

use std::path::Path;

use serde_json::Value;
use slugline::config::Config;
use slugline::domain::tally::{Counts, Scope, Series};
use slugline::store::settings::Kind;
use slugline::store::tallies::LaneAudit;
use slugline::store::{Store, Tallies};
use slugline::units::Size;

use super::load::Known;
use super::node::{Home, MARKER, Node};
use super::wire;
use crate::harness::wait::eventually_blocking;

/// Numbers of one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Books {
    /// Hits and missed visits by link, in the order that was asked for.
    pub counted: Vec<u64>,
    /// The site's.
    pub site: Counts,
    /// Lost hits by lane, the site lane's last.
    pub lost: Vec<u64>,
    pub audit: Vec<LaneAudit>,
}

impl Books {
    /// Reads them, and checks the audit, and that hours = days = each dimension = total.
    pub async fn read(tallies: &dyn Tallies, codes: &[String]) -> Books {
        let audit = tallies.audit().await.unwrap();
        for (lane, sums) in audit.iter().enumerate() {
            assert!(sums.holds(), "lane {lane}: {sums:?}");
        }
        let mut scopes: Vec<Scope> = codes.iter().map(|c| Scope::Link(c.as_str().into())).collect();
        scopes.push(Scope::Site);
        let totals = tallies.totals(&scopes).await.unwrap();
        for (scope, total) in scopes.iter().zip(&totals) {
            for series in Series::ALL {
                let rows = tallies.rows(scope, series, i64::MIN, i64::MAX).await.unwrap();
                let sum = rows.iter().map(|r| r.counts).sum();
                adds_up(scope, series, total, &sum);
            }
        }
        let (site, links) = totals.split_last().unwrap();
        let counted = links.iter().map(Counts::all).collect();
        Books { counted, site: *site, lost: tallies.lost().await.unwrap(), audit }
    }

    /// The same of a home's store, beside a program that may run on it.
    pub fn of(home: &Home) -> Books {
        beside(home, async |store| Books::read(store.tallies.as_ref(), &home.codes).await)
    }

    /// Lost hits of all link lanes. The site's must be as many.
    pub fn lost(&self) -> u64 {
        let (site, lanes) = self.lost.split_last().unwrap();
        let lost = lanes.iter().sum();
        assert_eq!(*site, lost, "{self:?}");
        lost
    }

    /// Fails unless `A <= C <= A + U` for every link since `before`.
    pub fn check(&self, before: &[u64], known: &[Known]) {
        for (link, known) in known.iter().enumerate() {
            let counted = self.counted[link] - before[link];
            let range = known.answered..=known.answered + known.unknown;
            assert!(range.contains(&counted), "link {link}: {counted} are counted, clients know {known:?}");
        }
        let links: u64 = self.counted.iter().sum();
        assert!(self.site.all() >= links, "the site has {:?}, its links {links}", self.site);
    }
}

fn adds_up(scope: &Scope, series: Series, total: &Counts, sum: &Counts) {
    let expected = match series {
        _ if series.is_of_links_only() && *scope == Scope::Site => Counts::default(),
        _ => series.share(total).unwrap_or_default(),
    };
    // Minutes go with time, and what is no dimension has only some hits.
    let whole = series.share(total).is_some() || series == Series::Minute;
    let expected = if series == Series::Minute { Counts { missed: 0, ..total.exact() } } else { expected };
    assert!(!whole || sum.exact() == expected, "{scope:?} {series:?}: {sum:?} of {total:?}");
}

/// Opens the store of a home beside a program that may run on it.
pub fn beside<T>(home: &Home, work: impl AsyncFnOnce(&Store) -> T) -> T {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        // A store elsewhere is looked at as another node would; files are opened where they are.
        let elsewhere = tempfile::tempdir().unwrap();
        let mut config = home.config(&home.data());
        config.store.readers = 1;
        config.store.page_cache = Size(2 << 20);
        if config.store.kind != Kind::Sqlite {
            config.data.dir = elsewhere.path().to_path_buf();
        }
        let store = slugline::app::open_store(&config, slugline::clock::now()).await.unwrap();
        let done = work(&store).await;
        store.close().await.unwrap();
        done
    })
}

/// Opens the store of a data folder, or makes one with so many lanes.
pub fn open(data: &Path, lanes: u16) -> Store {
    let mut settings = Config::defaults().unwrap().store;
    settings.readers = 1;
    settings.page_cache = Size(2 << 20);
    settings.lanes = lanes;
    slugline::store::sqlite::open(data, &settings, slugline::clock::now(), "UTC").unwrap().store
}

/// Waits until every hit in the journal of a running program is counted, and gives the books.
///
/// A hit on [`MARKER`] is the newest of all: earlier streams are counted before the one it is in.
pub fn settled(home: &Home, node: &Node) -> Books {
    // A store that was away may need a moment.
    let get = |path: &str| home.try_api(node, "GET", path, &Value::Null);
    let marked = || get(&format!("/links/{MARKER}"))?["totals"]["bots"].as_u64();
    let before = eventually_blocking("the store answers", marked);
    let answer = wire::ask(node.public(), "GET", &format!("/{MARKER}"), "", "").unwrap();
    assert_eq!(answer.status, 302);
    eventually_blocking("every hit is counted", || {
        // Someone who reads a report is not kept waiting.
        let report = get("/reports/summary")?;
        (report["waiting"] == 0 && marked()? > before).then_some(())
    });
    let books = Books::of(home);
    // The program's own check, with a recount of the journal.
    let verified = home.command(&["verify"]);
    assert!(verified.code == 0 && verified.stdout.contains("everything adds up"), "{verified:?}");
    books
}
