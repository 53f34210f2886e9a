//! What is said and not set: how other programs come in, and what is kept of whom.

use askama::Template;

use super::rendered;
use crate::units::Span;
use crate::web::State;
use crate::web::error::Result;
use crate::web::pages::bookmarklet;

const HOUR: u64 = 3_600;
const DAY: u64 = 24 * HOUR;

#[derive(Template)]
#[template(path = "staff/templates/settings/integrations.html")]
struct Integrations {
    public_url: String,
    staff_url: String,
    bookmarklet: String,
    /// An article of this newsroom, as an example.
    article: String,
    button_works: bool,
}

#[derive(Template)]
#[template(path = "staff/templates/settings/privacy.html")]
struct Privacy {
    newsroom: String,
    minutes: String,
    hours: String,
    sketches: String,
    audit: String,
    journal: String,
    sessions: String,
    has_mail: bool,
    mail_host: String,
}

pub(super) fn integrations(state: &State) -> Result<String> {
    let now = state.settings.now();
    let hosts = serde_json::to_value(&now.config.articles.allowed_hosts).unwrap_or_default();
    let first = hosts.get(0).and_then(serde_json::Value::as_str);
    rendered(&Integrations {
        public_url: state.public_url.to_string(),
        staff_url: state.staff_url.to_string(),
        // The pages that it opens are staff's.
        bookmarklet: bookmarklet(&state.staff_url),
        article: format!("https://{}/2026/a-story", first.unwrap_or("www.example.com")),
        button_works: first.is_some(),
    })
}

/// A span in words.
fn words(span: Span) -> String {
    let seconds = span.0.as_secs();
    let of = |count: u64, unit: &str| format!("{count} {unit}{}", if count == 1 { "" } else { "s" });
    match seconds {
        0 => "for ever".into(),
        _ if seconds.is_multiple_of(DAY) => of(seconds / DAY, "day"),
        _ if seconds.is_multiple_of(HOUR) => of(seconds / HOUR, "hour"),
        _ => span.to_string(),
    }
}

pub(super) fn privacy(state: &State) -> Result<String> {
    let now = state.settings.now();
    let (kept, config) = (&now.config.retention, &now.config);
    rendered(&Privacy {
        newsroom: config.newsroom.name.clone(),
        minutes: words(kept.minutes),
        hours: words(kept.hours),
        sketches: words(kept.sketches),
        audit: words(kept.audit),
        journal: words(config.journal.retain_age),
        sessions: words(config.auth.session_for),
        has_mail: state.digests.has_mail(),
        mail_host: config.mail.host.clone(),
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn spans_are_words() {
        let table = [
            (0, "for ever"),
            (3_600, "1 hour"),
            (26 * 3_600, "26 hours"),
            (400 * 86_400, "400 days"),
            (90, "90s"),
        ];
        for (seconds, text) in table {
            assert_eq!(words(Span(Duration::from_secs(seconds))), text);
        }
    }
}
