//! Codes that may have been meant: for a reader who got one character of a short URL wrong.
//!
//! Guarantees that only codes that somebody chose by hand are named, and only while they are open: a drawn code is known
//! to whom it was given, and an embargoed one to nobody. Asking costs a few look-ups in memory, whatever is asked for. What
//! is kept here may lag behind the store for a moment; who shows it asks the link itself first.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::codes;
use crate::clock;
use crate::domain::code::fold;
use crate::domain::link::{Found, Link, Via};
use crate::store::links::{LinkFilter, LinkOrder, LinkPage};
use crate::store::{self, Links};

/// Codes that are kept; further ones are not named.
const MAX_CODES: usize = 20_000;
/// Shorter codes are too much like each other, longer ones cost more than they are worth.
const LENGTHS: std::ops::RangeInclusive<usize> = 4..=32;
/// Codes that are named at once.
const MAX_GUESSES: usize = 3;
/// Changed codes that wait to be looked at; beyond it all are looked at.
const MAX_CHANGED: usize = 10_000;
/// Links read at once.
const PAGE: usize = 1_000;
/// Links read at a start, the newest ones: what is printed today is mistyped today, and a start must not cost more the
/// more links there are.
const NEWEST: usize = 200_000;
/// After a store that could not be asked.
const AGAIN: Duration = Duration::from_secs(5);

/// A code, and when it leads on.
#[derive(Clone, Debug)]
struct Open {
    code: Box<str>,
    from_ms: i64,
    to_ms: i64,
}

/// The codes, by what is left of each when one character is taken out, and by themselves.
#[derive(Default)]
struct Index {
    open: HashMap<Box<str>, Open>,
    by_part: HashMap<Box<str>, Vec<Box<str>>>,
}

/// Which codes were chosen by hand, as far as that can be seen.
struct Chosen {
    /// Folded.
    alphabets: String,
}

/// What is to be looked at again.
enum Changed {
    All,
    Keys(HashSet<String>),
}

/// Knows the codes that readers may have meant.
pub struct Near {
    links: Arc<dyn Links>,
    chosen: Chosen,
    index: RwLock<Index>,
    changed: Mutex<Changed>,
    news: Notify,
}

impl Near {
    /// Over a store whose codes are drawn like this. Knows nothing until it [runs](Near::run).
    #[must_use]
    pub fn new(links: Arc<dyn Links>, drawn: &codes::Settings) -> Near {
        Near {
            links,
            chosen: Chosen::new(drawn),
            index: RwLock::default(),
            changed: Mutex::new(Changed::All),
            news: Notify::new(),
        }
    }

    /// Codes at most one slip away from this one, which nobody has: one character wrong, missing, too many, or two
    /// changed over.
    #[must_use]
    pub fn guess(&self, asked: &str, now_ms: i64) -> Vec<String> {
        self.index.read().unwrap_or_else(PoisonError::into_inner).guess(asked, now_ms)
    }

    /// These folded codes changed; None for nobody knows which.
    pub fn changed(&self, keys: Option<&[String]>) {
        let mut changed = self.changed.lock().unwrap_or_else(PoisonError::into_inner);
        let news = match (&mut *changed, keys) {
            (Changed::All, _) => true,
            (Changed::Keys(waiting), Some(keys)) => {
                waiting.extend(keys.iter().filter(|key| self.chosen.may_be(key)).cloned());
                !waiting.is_empty()
            }
            (Changed::Keys(_), None) => {
                *changed = Changed::All;
                true
            }
        };
        if matches!(&*changed, Changed::Keys(waiting) if waiting.len() > MAX_CHANGED) {
            *changed = Changed::All;
        }
        if news {
            self.news.notify_one();
        }
    }

    /// Keeps up with what changes, until `stop`.
    pub async fn run(self: Arc<Near>, stop: CancellationToken) {
        loop {
            let looked = tokio::select! {
                () = stop.cancelled() => return,
                looked = self.look() => looked,
            };
            let again = match looked {
                Ok(()) => None,
                Err(error) => {
                    tracing::debug!(%error, "chosen codes cannot be read; unknown codes get no guesses meanwhile");
                    self.changed(None);
                    Some(AGAIN)
                }
            };
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.news.notified(), if again.is_none() => {}
                () = tokio::time::sleep(again.unwrap_or_default()), if again.is_some() => {}
            }
        }
    }

    async fn look(&self) -> store::Result<()> {
        let none = Changed::Keys(HashSet::new());
        let changed =
            std::mem::replace(&mut *self.changed.lock().unwrap_or_else(PoisonError::into_inner), none);
        match changed {
            Changed::All => self.look_at_all().await,
            Changed::Keys(keys) if keys.is_empty() => Ok(()),
            Changed::Keys(keys) => {
                let keys: Vec<String> = keys.into_iter().collect();
                let found = self.links.find_many(&keys).await?;
                let mut index = self.index.write().unwrap_or_else(PoisonError::into_inner);
                keys.iter().for_each(|key| index.remove(key));
                found.iter().for_each(|found| index.put(found, &self.chosen));
                Ok(())
            }
        }
    }

    async fn look_at_all(&self) -> store::Result<()> {
        let mut index = Index::default();
        let mut after = None;
        for _ in 0..NEWEST / PAGE {
            let page = LinkPage {
                filter: LinkFilter::default(),
                order: LinkOrder::Created,
                descending: true,
                after: after.take(),
                limit: PAGE,
            };
            let found = self.links.list(page, clock::now()).await?;
            found.iter().for_each(|found| index.put(found, &self.chosen));
            let last = found.last().filter(|_| found.len() == PAGE && index.open.len() < MAX_CODES);
            match last {
                Some(last) => {
                    after = Some((LinkOrder::Created.key_of(last), last.link.code.as_str().to_owned()));
                }
                None => break,
            }
        }
        *self.index.write().unwrap_or_else(PoisonError::into_inner) = index;
        Ok(())
    }
}

impl Chosen {
    fn new(drawn: &codes::Settings) -> Chosen {
        // Codes that were drawn before the alphabet was changed are drawn ones still.
        Chosen { alphabets: fold(&drawn.alphabet).into_owned() + codes::USUAL_ALPHABET }
    }

    /// True for a link that leads on at some time and whose code was chosen by hand, as far as that can be known: an
    /// imported one may have been drawn elsewhere.
    fn leads(&self, link: &Link) -> bool {
        let leads = link.target.is_some() && !link.disabled && link.retired_at.is_none();
        leads && link.via != Via::Import && self.may_be(link.code.as_str())
    }

    /// True for a code that is not drawn: it has a character that drawn ones do not have.
    fn may_be(&self, code: &str) -> bool {
        LENGTHS.contains(&code.len()) && fold(code).chars().any(|c| !self.alphabets.contains(c))
    }
}

impl Index {
    fn guess(&self, asked: &str, now_ms: i64) -> Vec<String> {
        if self.open.is_empty() || !LENGTHS.contains(&asked.len()) {
            return vec![];
        }
        let asked = fold(asked);
        let mut near: Vec<&Open> = vec![];
        for part in parts(&asked) {
            for key in self.by_part.get(part.as_str()).into_iter().flatten() {
                let open = self.open.get(key).filter(|o| (o.from_ms..o.to_ms).contains(&now_ms));
                if let Some(open) = open.filter(|_| is_one_slip(&asked, key)) {
                    near.push(open);
                }
            }
        }
        near.sort_by_key(|open| (open.code.len().abs_diff(asked.len()), &open.code));
        near.dedup_by_key(|open| &open.code);
        near.into_iter().take(MAX_GUESSES).map(|open| open.code.to_string()).collect()
    }

    fn put(&mut self, found: &Found, chosen: &Chosen) {
        let withdrawn = found.article.as_ref().is_some_and(|a| a.withdrawn);
        if !withdrawn && self.open.len() < MAX_CODES && chosen.leads(&found.link) {
            self.add(&found.link);
        }
    }

    fn add(&mut self, link: &Link) {
        let ms = |at: Option<Timestamp>, none: i64| at.map_or(none, Timestamp::as_millisecond);
        let open = Open {
            code: link.code.as_str().into(),
            from_ms: ms(link.not_before, i64::MIN),
            to_ms: ms(link.expires_at, i64::MAX),
        };
        let key: Box<str> = link.code.key().into();
        // Of imported codes that differ in case alone, one is enough.
        if self.open.insert(key.clone(), open).is_none() {
            for part in parts(&key) {
                self.by_part.entry(part.into()).or_default().push(key.clone());
            }
        }
    }

    fn remove(&mut self, key: &str) {
        if self.open.remove(key).is_none() {
            return;
        }
        for part in parts(key) {
            if let Some(keys) = self.by_part.get_mut(part.as_str()) {
                keys.retain(|one| &**one != key);
                if keys.is_empty() {
                    self.by_part.remove(part.as_str());
                }
            }
        }
    }
}

/// A folded code, and what is left of it without one of its characters, each once. Codes are ASCII.
fn parts(key: &str) -> HashSet<String> {
    let without = |at: usize| {
        let kept = key.char_indices().filter(move |(i, _)| *i != at);
        kept.map(|(_, c)| c).collect::<String>()
    };
    (0..key.len()).map(without).chain([key.to_owned()]).collect()
}

/// True if one character replaced, added, left out, or two neighbours changed over make one of the other.
fn is_one_slip(a: &str, b: &str) -> bool {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    let same = a.iter().zip(b).take_while(|(x, y)| x == y).count();
    let (a, b) = (&a[same..], &b[same..]);
    match (a, b) {
        ([_, a @ ..], [_, b @ ..]) if a == b => true,
        ([_, a @ ..], b) if a == b => true,
        (a, [_, b @ ..]) if a == b => true,
        ([x, y, a @ ..], [z, w, b @ ..]) => x == w && y == z && a == b,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::link::tests::link;

    fn index(links: &[Link]) -> Index {
        let chosen = Chosen::new(&codes::Settings { alphabet: "BCDFGHJKMNPQ".into(), length: 7 });
        let mut index = Index::default();
        for link in links {
            index.put(&Found { link: Arc::new(link.clone()), article: None }, &chosen);
        }
        index
    }

    #[test]
    fn slips() {
        let table = [
            ("election", "electoin", true),
            ("election", "elecion", true),
            ("election", "ellection", true),
            ("election", "erection", true),
            ("election", "elections", true),
            ("election", "lection", true),
            ("election", "elect", false),
            ("election", "leection", true),
            ("election", "noitcele", false),
            ("abcde", "bcdea", false),
            ("abcde", "abxdy", false),
        ];
        for (a, b, one) in table {
            assert_eq!((is_one_slip(a, b), is_one_slip(b, a)), (one, one), "{a} {b}");
            // Whatever is one slip away has a part in common, so that it is found.
            assert!(!one || !parts(a).is_disjoint(&parts(b)), "{a} {b}");
        }
    }

    #[test]
    fn only_open_codes_that_were_chosen_are_named() {
        let at = |s| Some(Timestamp::from_second(s).unwrap());
        let index = index(&[
            link("Election"),
            link("vote-1"),
            link("vote-2"),
            link("vote-3"),
            link("vote-4"),
            link("kx7dw4m"),
            Link { not_before: at(100), ..link("embargo") },
            Link { expires_at: at(100), ..link("expired") },
            Link { disabled: true, ..link("disabled") },
            Link { retired_at: at(0), ..link("retired") },
            Link { target: None, ..link("reserved") },
            Link { via: Via::Import, ..link("imported") },
        ]);
        let guess = |asked: &str, s: i64| index.guess(asked, s * 1_000);
        assert_eq!(guess("electoin", 50), ["Election"]);
        assert_eq!(guess("ELECTIOM", 50), ["Election"]);
        assert_eq!(guess("vote-9", 50), ["vote-1", "vote-2", "vote-3"]);
        for nothing in ["kx7dw4n", "disablet", "retiret", "reservet", "importet", "unlike", "e", ""] {
            assert!(guess(nothing, 50).is_empty(), "{nothing}");
        }
        assert!(guess(&"a".repeat(64), 50).is_empty());
        assert!(guess("embarge", 99).is_empty());
        assert_eq!(guess("embarge", 100), ["embargo"]);
        assert_eq!(guess("expiret", 99), ["expired"]);
        assert!(guess("expiret", 100).is_empty());
    }

    #[test]
    fn what_is_taken_out_leaves_nothing() {
        let mut index = index(&[link("election"), link("elections")]);
        index.remove("election");
        index.remove("unknown");
        assert_eq!(index.open.len(), 1);
        index.remove("elections");
        assert!(index.open.is_empty() && index.by_part.is_empty());
    }
}
