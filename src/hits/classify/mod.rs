//! What made a hit, from where, and with what: classes, sources, devices.
//!
//! Guarantees that classifying is total and depends on the request and the tables alone, so that a hit classified
//! again is classified alike. What it costs is remembered: a few thousand agents make nearly all hits. The order of
//! the rules about a request is in [`Classifier::see`], about an agent in `agent.rs`, about a source in `source.rs`.
//! Knows no addresses (they come as a [`Network`]), no counting, no files but an operator's tables.

mod agent;
mod current;
mod device;
pub mod hints;
mod names;
pub mod params;
mod settings;
mod source;
mod tables;
#[cfg(test)]
mod tests;
mod text;
mod words;

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, LazyLock};

pub use agent::Agent;
pub use current::Current;
pub use settings::Settings;
pub use source::Source;
pub use tables::{Additions, BadTable, Tables};
pub use text::MAX_VALUE;

use self::device::OTHER;
use crate::domain::hit::{Class, Hit, MAX_TEXT, Network, Outcome, Trigger};

/// What is remembered of agents, and of sources, at most: entries, and bytes of what they were read from. At the
/// bound everything is forgotten, which costs reading it again.
const MEMO_ENTRIES: usize = 20_000;
const MEMO_BYTES: usize = 16 << 20;
/// Different answers that [`Classifier::settle`] lets live on.
const MAX_ANSWERS: usize = 50_000;

/// Why a hit has its class.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reason {
    /// A person's browser.
    Browser,
    /// A person in an app's own browser.
    InApp,
    /// The method was HEAD.
    Head,
    /// The browser loads ahead; the person has not come yet.
    Prefetch,
    /// A network makes a preview of the link.
    Unfurl,
    /// The operator excluded the address or the agent.
    Excluded,
    /// The operator's table says the address is a data centre's.
    DataCentre,
    /// The operator's table says the address scans mail.
    MailScanner,
    /// An agent of the table.
    KnownBot,
    /// The agent says that it is a program.
    SaysSo,
    /// The agent names an address to ask at, as no browser does.
    Contact,
    /// The agent names nothing that shows pages.
    NoEngine,
    /// There is no agent.
    NoAgent,
    /// The agent cannot be read.
    Unreadable,
    /// The link was not open.
    Missed,
}

impl Reason {
    /// True where the name that goes with it is the agent's own word, so that any reader can make one up.
    #[must_use]
    pub fn is_self_named(self) -> bool {
        matches!(self, Reason::SaysSo | Reason::Contact | Reason::NoEngine)
    }

    /// The word in reports and JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Reason::Browser => "browser",
            Reason::InApp => "in_app",
            Reason::Head => "head",
            Reason::Prefetch => "prefetch",
            Reason::Unfurl => "unfurl",
            Reason::Excluded => "excluded",
            Reason::DataCentre => "data_centre",
            Reason::MailScanner => "mail_scanner",
            Reason::KnownBot => "known_bot",
            Reason::SaysSo => "says_so",
            Reason::Contact => "contact",
            Reason::NoEngine => "no_engine",
            Reason::NoAgent => "no_agent",
            Reason::Unreadable => "unreadable",
            Reason::Missed => "missed",
        }
    }
}

/// All of a request that classification reads.
#[derive(Clone, Copy, Debug, Default)]
pub struct Request<'a> {
    /// The method was HEAD.
    pub head: bool,
    /// `Sec-Purpose`, `Purpose` or `X-Moz` says prefetch or preview.
    pub prefetch: bool,
    /// Followed from a QR code.
    pub qr: bool,
    /// What the operator's tables say of the address.
    pub network: Network,
    /// `User-Agent`; what is beyond [`MAX_TEXT`] bytes is not read, as the journal does not keep it.
    pub user_agent: &'a [u8],
    /// Packed [`hints::Hints`].
    pub hints: &'a [u8],
    /// `Referer`, whole or cut to scheme and host.
    pub referrer: &'a [u8],
    /// The query, whole or [`params::Cut`].
    pub params: &'a [u8],
}

impl<'a> From<&Hit<'a>> for Request<'a> {
    fn from(hit: &Hit<'a>) -> Request<'a> {
        Request {
            head: hit.signals.head,
            prefetch: hit.signals.prefetch,
            qr: hit.trigger == Trigger::Qr,
            network: hit.network,
            user_agent: hit.user_agent,
            hints: hit.hints,
            referrer: hit.referrer,
            params: hit.params,
        }
    }
}

/// An [`Agent`] of a classifier; good until it settles.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AgentId(u32);

/// A [`Source`] of a classifier; good until it settles.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SourceId(u32);

/// What a hit is. Small: what it stands for is asked of the classifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Seen {
    /// What made it.
    pub class: Class,
    /// Why.
    pub reason: Reason,
    /// With what.
    pub agent: AgentId,
    /// From where.
    pub source: SourceId,
}

/// Answers, each once, and from which bytes they follow.
struct Memo<T> {
    answers: Vec<T>,
    ids: HashMap<T, u32, foldhash::fast::RandomState>,
    known: HashMap<Box<[u8]>, u32, foldhash::fast::RandomState>,
    bytes: usize,
    /// Where a key is put together; kept, so that a look-up allocates nothing.
    key: Vec<u8>,
}

impl<T: Clone + Eq + Hash> Memo<T> {
    fn new() -> Memo<T> {
        let (ids, known) = (HashMap::default(), HashMap::default());
        Memo { answers: vec![], ids, known, bytes: 0, key: vec![] }
    }

    fn id(&mut self, parts: &[&[u8]], read: impl FnOnce() -> T) -> u32 {
        self.key.clear();
        for part in parts {
            self.key.extend_from_slice(part);
            self.key.push(0);
        }
        if let Some(id) = self.known.get(&*self.key) {
            return *id;
        }
        let id = self.intern(read());
        if self.known.len() >= MEMO_ENTRIES || self.bytes + self.key.len() > MEMO_BYTES {
            self.known.clear();
            self.bytes = 0;
        }
        self.bytes += self.key.len();
        self.known.insert(self.key.as_slice().into(), id);
        id
    }

    fn intern(&mut self, answer: T) -> u32 {
        if let Some(id) = self.ids.get(&answer) {
            return *id;
        }
        // A batch of hits is far smaller than this.
        let id = u32::try_from(self.answers.len()).unwrap_or(u32::MAX);
        self.answers.push(answer.clone());
        self.ids.insert(answer, id);
        id
    }
}

/// Classifies hits, remembering agents and sources.
pub struct Classifier {
    tables: Arc<Tables>,
    agents: Memo<Agent>,
    sources: Memo<Source>,
}

impl Default for Classifier {
    /// With the compiled-in tables, which a test reads: they cannot be bad in a release. They are read once.
    fn default() -> Classifier {
        static BUILTIN: LazyLock<Arc<Tables>> = LazyLock::new(|| {
            Arc::new(Tables::new(&Additions::default()).unwrap_or_else(|_| Tables::empty()))
        });
        Classifier::new(Arc::clone(&BUILTIN))
    }
}

impl Classifier {
    /// Over tables.
    #[must_use]
    pub fn new(tables: Arc<Tables>) -> Classifier {
        Classifier { tables, agents: Memo::new(), sources: Memo::new() }
    }

    /// Which parameters matter.
    #[must_use]
    pub fn params(&self) -> &Arc<params::ParamTable> {
        self.tables.params()
    }

    /// True if these are its tables.
    #[must_use]
    pub fn uses(&self, tables: &Arc<Tables>) -> bool {
        Arc::ptr_eq(&self.tables, tables)
    }

    /// Puts other tables in place. All ids end.
    pub fn use_tables(&mut self, tables: Arc<Tables>) {
        *self = Classifier::new(tables);
    }

    /// To be called between batches: forgets all answers when there are many. Then all ids end, and it says so.
    pub fn settle(&mut self) -> bool {
        let many = self.agents.answers.len() > MAX_ANSWERS || self.sources.answers.len() > MAX_ANSWERS;
        if many {
            self.use_tables(Arc::clone(&self.tables));
        }
        many
    }

    /// What this request is.
    pub fn see(&mut self, request: &Request<'_>) -> Seen {
        let tables = &*self.tables;
        let cut = |bytes: &'_ [u8]| bytes.len().min(MAX_TEXT);
        let (user_agent, hints) = (request.user_agent, request.hints);
        // One byte more than is read: whether there was more tells a cut character from a broken one.
        let keyed = &user_agent[..user_agent.len().min(MAX_TEXT + 1)];
        let agent = self.agents.id(&[hints, keyed], || agent::read(tables, user_agent, hints));
        let read = &self.agents.answers[agent as usize];
        let referrer = &request.referrer[..cut(request.referrer)];
        let params = &request.params[..cut(request.params)];
        let origin = source::Origin { qr: request.qr, app: &read.app_source, referrer, params };
        let key: [&[u8]; 4] = [read.app_source.as_bytes(), &[u8::from(request.qr)], referrer, params];
        let source = self.sources.id(&key, || tables.sources.source(tables.params(), origin));
        let (class, reason) = judge(request, read);
        Seen { class, reason, agent: AgentId(agent), source: SourceId(source) }
    }

    /// With what it was made.
    #[must_use]
    pub fn agent(&self, id: AgentId) -> Option<&Agent> {
        self.agents.answers.get(id.0 as usize)
    }

    /// From where it came.
    #[must_use]
    pub fn source(&self, id: SourceId) -> Option<&Source> {
        self.sources.answers.get(id.0 as usize)
    }

    /// The bot's, the preview network's or the browser's own name.
    #[must_use]
    pub fn name(&self, seen: Seen) -> &str {
        let agent = self.agent(seen.agent);
        match seen.reason {
            Reason::Head | Reason::Prefetch => agent.map_or(OTHER, |agent| unannounced(seen.reason, agent)),
            _ => agent.map_or("", |agent| &agent.name),
        }
    }

    /// Which kind of bot or preview; "" for people.
    #[must_use]
    pub fn kind(&self, seen: Seen) -> &'static str {
        match seen.reason {
            Reason::Head | Reason::Prefetch | Reason::Excluded | Reason::DataCentre | Reason::MailScanner => {
                seen.reason.as_str()
            }
            _ => self.agent(seen.agent).map_or("", |agent| agent.kind),
        }
    }

    /// The network that a preview is for; "" for all else.
    #[must_use]
    pub fn network(&self, seen: Seen) -> &'static str {
        match (seen.class, self.agent(seen.agent)) {
            (Class::Preview, Some(agent)) => unannounced(seen.reason, agent),
            _ => "",
        }
    }

    /// What made this hit; None for a missed visit, which is nobody's.
    pub fn classify(&mut self, hit: &Hit<'_>) -> Option<Seen> {
        match hit.outcome {
            Outcome::Missed(_) => None,
            Outcome::Followed { .. } => Some(self.see(&Request::from(hit))),
        }
    }
}

/// The network of a preview; what a browser asks ahead or by HEAD has none.
fn unannounced(reason: Reason, agent: &Agent) -> &'static str {
    match reason {
        _ if agent.class == Class::Preview => agent.network,
        Reason::Head => "HEAD",
        Reason::Prefetch => "Prefetch",
        _ => OTHER,
    }
}

/// The rules about a request, first match wins: the operator's word; what the method and purpose say; what the
/// agent says; where it came from.
fn judge(request: &Request<'_>, agent: &Agent) -> (Class, Reason) {
    if request.network == Network::Excluded || agent.reason == Reason::Excluded {
        return (Class::Bot, Reason::Excluded);
    }
    if request.head {
        return (Class::Preview, Reason::Head);
    }
    if request.prefetch {
        return (Class::Preview, Reason::Prefetch);
    }
    // A bot or a preview that says who it is is known better than by its address.
    match (agent.class, request.network) {
        (Class::Click, Network::DataCentre) => (Class::Bot, Reason::DataCentre),
        (Class::Click, Network::MailScanner) => (Class::Bot, Reason::MailScanner),
        _ => (agent.class, agent.reason),
    }
}
