//! Sends what is due, on the one node that holds the lease.
//!
//! Guarantees that what was sent is noted, so that no other node and no later start sends it again; that a letter which is
//! not taken is tried again a bounded number of times; and that a server which is away is asked by one letter at a time.
//! What is too late to be read is not sent.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use sha2::{Digest, Sha256};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::contents::Contents;
use super::mail::{Failure, Fault, Mailer};
use super::subscribe::{kept, short};
use super::{DigestService, Every, Period, Result, Subscription, letters};
use crate::accounts::user_of;
use crate::clock;
use crate::sessions::secret;
use crate::store::documents::Document;
use crate::store::tokens::{Token, TokenId, TokenKind};
use crate::telemetry;
use crate::webhooks::message;

/// Between two looks at what is due.
const LOOK: Duration = Duration::from_secs(5);
/// A digest that could not be sent for so long is not sent.
const WINDOW: SignedDuration = SignedDuration::from_hours(12);
/// How long it is remembered that one was sent.
const REMEMBERED: SignedDuration = SignedDuration::from_hours(24 * 40);
/// How long a letter's link ends a digest.
const END_FOR: SignedDuration = SignedDuration::from_hours(24 * 30);
/// Whose digest that of webhooks is.
const WEBHOOKS: &str = "webhooks";

/// What was put together, by the period's name.
type Written = HashMap<String, Arc<Contents>>;

/// What was tried and not taken.
#[derive(Default)]
struct Tries {
    /// How often each letter was, and when it is tried again.
    letters: HashMap<TokenId, (usize, Timestamp)>,
    /// How often the server was away, and until when it is left alone.
    server: (usize, Option<Timestamp>),
}

impl Tries {
    /// How long it is until something is tried again; at most [`LOOK`].
    fn rest(&self, now: Timestamp) -> Duration {
        let next = self.letters.values().map(|(_, next)| *next).chain(self.server.1);
        let next = next.filter(|next| *next > now).min();
        let left = next.and_then(|next| Duration::try_from(next.duration_since(now)).ok());
        left.unwrap_or(LOOK).clamp(Duration::from_millis(10), LOOK)
    }
}

/// A digest that somebody gets, and what its last one is of.
struct Due {
    owner: String,
    subscription: Subscription,
    period: Period,
}

impl Due {
    fn id(&self) -> TokenId {
        mark(&self.owner, &self.period)
    }
}

/// What it is noted under that somebody's digest of a period was sent.
fn mark(owner: &str, period: &Period) -> TokenId {
    let mut hash = Sha256::new();
    for part in ["digest", owner, &period.name()] {
        hash.update(part);
        hash.update([0]);
    }
    TokenId(hash.finalize().into())
}

impl DigestService {
    /// Sends what is due until `stop`, while this node is the one that does.
    pub async fn run(&self, mut held: watch::Receiver<bool>, stop: CancellationToken) {
        let (mut tries, mut failing) = (Tries::default(), false);
        loop {
            if *held.borrow_and_update() {
                let looked = tokio::select! {
                    () = stop.cancelled() => return,
                    looked = self.look(&mut tries, &held) => looked,
                };
                if let Err(error) = &looked
                    && !failing
                {
                    tracing::error!(%error, "digests are looked for later");
                }
                failing = looked.is_err();
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.wake.notified() => {}
                changed = held.changed() => if changed.is_err() { return },
                () = tokio::time::sleep(tries.rest(clock::now())) => {}
            }
        }
    }

    async fn look(&self, tries: &mut Tries, held: &watch::Receiver<bool>) -> Result<()> {
        let now = clock::now();
        let zone = TimeZone::get(&self.needs.reports.calendar().zone_name(now)).unwrap_or(TimeZone::UTC);
        let mut written = Written::new();
        self.tell_webhooks(&zone, &mut written, now).await?;
        let Some(mailer) = &self.mailer else { return Ok(()) };
        tries.letters.retain(|_, (_, next)| now.duration_since(*next) < WINDOW);
        for document in self.needs.documents.documents().await? {
            let now = clock::now();
            if tries.server.1.is_some_and(|until| now < until) || !*held.borrow() {
                break;
            }
            let Some(due) = self.due(&document, &zone, now) else { continue };
            let id = due.id();
            let waits = tries.letters.get(&id).is_some_and(|(_, next)| now < *next);
            if waits || self.needs.tokens.get(TokenKind::Digest, id, now).await?.is_some() {
                continue;
            }
            let outcome = self.send(mailer, &due, &mut written, now).await?;
            self.settle(&due, outcome, tries, clock::now()).await?;
        }
        Ok(())
    }

    /// What somebody is to get now, whether or not it was sent.
    fn due(&self, document: &Document, zone: &TimeZone, now: Timestamp) -> Option<Due> {
        let subscription = kept(document)?;
        // Who may do nothing here gets nothing, whatever is kept.
        let owner = self.needs.accounts.acting(&document.name)?.name;
        let period = Period::last(subscription.every, subscription.hour, zone, now)?;
        // The first is the next after it was asked for.
        let is_due = now.duration_since(period.due) < WINDOW && document.updated_at <= period.due;
        is_due.then_some(Due { owner, subscription, period })
    }

    /// What the digest of a period says, put together once in a look.
    async fn written(&self, period: &Period, written: &mut Written, now: Timestamp) -> Result<Arc<Contents>> {
        if let Some(contents) = written.get(&period.name()) {
            return Ok(Arc::clone(contents));
        }
        let contents = Arc::new(self.contents(period, now).await?);
        written.insert(period.name(), Arc::clone(&contents));
        Ok(contents)
    }

    async fn send(
        &self,
        mailer: &Mailer,
        due: &Due,
        written: &mut Written,
        now: Timestamp,
    ) -> Result<std::result::Result<(), Failure>> {
        let secret = secret();
        let ends = Token {
            kind: TokenKind::Unsubscribe,
            id: TokenId::of(&secret),
            expires_at: now.saturating_add(END_FOR).unwrap_or(Timestamp::MAX),
            ..note(due, now)
        };
        self.needs.tokens.put(ends).await?;
        let staff_url = &self.needs.staff_url;
        let (me, end) =
            (format!("{staff_url}/-/me#digest"), format!("{staff_url}/-/digest/end?token={secret}"));
        let contents = self.written(&due.period, written, now).await?;
        let to = (due.subscription.email.as_str(), format!("digest.{}", short(&due.id().0)));
        let letter = letters::digest(&contents, to, (&me, &end), now)?;
        Ok(mailer.send(letter).await)
    }

    /// Notes what a sending came to.
    async fn settle(
        &self,
        due: &Due,
        outcome: std::result::Result<(), Failure>,
        tries: &mut Tries,
        now: Timestamp,
    ) -> Result<()> {
        let (id, user) = (due.id(), user_of(&due.owner).unwrap_or_default());
        let Err(failure) = outcome else {
            tries.letters.remove(&id);
            tries.server = (0, None);
            self.needs.tokens.put(note(due, now)).await?;
            count("sent");
            tracing::info!(user, period = due.period.name(), "a digest was sent");
            return Ok(());
        };
        let pauses = &self.needs.mail.retry_after;
        let (tried, _) = tries.letters.get(&id).copied().unwrap_or((0, now));
        let pause = pauses.get(tried).filter(|_| failure.of != Fault::Address);
        let Some(pause) = pause else {
            count("given_up");
            tracing::warn!(user, why = failure.why, "a digest was given up");
            tries.letters.remove(&id);
            let value = serde_json::json!({ "failed": failure.why });
            return Ok(self.needs.tokens.put(Token { value, ..note(due, now) }).await?);
        };
        count("again");
        tracing::warn!(user, why = failure.why, "a digest was not taken");
        tries.letters.insert(id, (tried + 1, later(now, pause.0)));
        if failure.of == Fault::Server {
            let away = tries.server.0;
            let pause = pauses.get(away).or(pauses.last()).map_or(LOOK, |pause| pause.0);
            tries.server = (away + 1, Some(later(now, pause)));
        }
        Ok(())
    }

    /// Webhooks that want it get the digest of the day.
    async fn tell_webhooks(&self, zone: &TimeZone, written: &mut Written, now: Timestamp) -> Result<()> {
        if !self.needs.webhooks.is_wanted(message::DIGEST) {
            return Ok(());
        }
        let Some(period) = Period::last(Every::Daily, self.needs.digests.hour, zone, now) else {
            return Ok(());
        };
        let id = mark(WEBHOOKS, &period);
        if now.duration_since(period.due) >= WINDOW
            || self.needs.tokens.get(TokenKind::Digest, id, now).await?.is_some()
        {
            return Ok(());
        }
        let contents = self.written(&period, written, now).await?;
        let message = message::of_digest(&period.name(), contents.text(), contents.data(), now);
        self.needs.webhooks.tell(vec![message]).await;
        let subscription = Subscription { email: String::new(), every: Every::Daily, hour: 0 };
        let due = Due { owner: WEBHOOKS.into(), subscription, period };
        Ok(self.needs.tokens.put(note(&due, now)).await?)
    }
}

/// The note that a digest was sent.
fn note(due: &Due, now: Timestamp) -> Token {
    Token {
        kind: TokenKind::Digest,
        id: due.id(),
        owner: due.owner.clone(),
        value: serde_json::Value::Null,
        created_at: now,
        expires_at: now.saturating_add(REMEMBERED).unwrap_or(Timestamp::MAX),
        seen_at: now,
    }
}

fn later(now: Timestamp, pause: Duration) -> Timestamp {
    SignedDuration::try_from(pause)
        .ok()
        .and_then(|pause| now.checked_add(pause).ok())
        .unwrap_or(Timestamp::MAX)
}

fn count(outcome: &'static str) {
    metrics::counter!(telemetry::DIGESTS, "outcome" => outcome).increment(1);
}
