//! Posts messages to addresses that people gave, behind the guard that pages are fetched behind.
//!
//! Guarantees what fetching does: an address is looked at where it is written and where its name leads, and what is
//! connected to is what was looked at. Redirects are not followed. Of an answer nothing but its head is read. Everything
//! is done by the deadline.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use http::header::RETRY_AFTER;
use url::Url;

use super::guard::{self, Place};
use super::hop::Client;
use super::resolve::Resolve;
use super::{NoAddress, addresses};
use crate::domain::target::HostRule;

/// What came of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Posted {
    /// There was an answer.
    Answered {
        /// Its status.
        status: u16,
        /// Its `Retry-After`, as it came.
        retry_after: Option<String>,
    },
    /// There was none.
    Unanswered {
        /// Why, in words.
        why: String,
    },
    /// Nothing is sent there.
    Refused {
        /// Why, in words.
        why: String,
    },
}

/// Posts messages. One for the whole process.
pub struct Poster {
    private_hosts: Vec<HostRule>,
    resolve: Arc<dyn Resolve>,
    client: Client,
    deadline: Duration,
}

impl Poster {
    /// Ready to post.
    ///
    /// # Errors
    /// Why not: a name for ourselves that cannot be a header, or no encryption.
    pub fn new(
        about: &str,
        private_hosts: Vec<HostRule>,
        resolve: Arc<dyn Resolve>,
        deadline: Duration,
    ) -> Result<Poster, String> {
        let client = Client::new(&format!("Slugline/{} (+{about})", env!("CARGO_PKG_VERSION")))?;
        Ok(Poster { private_hosts, resolve, client, deadline })
    }

    /// Looks whether anything would be sent there: as it is written, and, if that can be told within `patience`, where
    /// its name leads now. A name that is not known yet may be one day.
    ///
    /// # Errors
    /// Why not, in words.
    pub async fn judge(&self, url: &Url, patience: Duration) -> Result<(), String> {
        let place = guard::place(url, &self.private_hosts)?;
        match tokio::time::timeout(patience, addresses(&*self.resolve, &place)).await {
            Ok(Err(NoAddress::Private(why))) => Err(why),
            Ok(Ok(_) | Err(NoAddress::Unknown(_))) | Err(_) => Ok(()),
        }
    }

    /// Sends a message. It may be dropped at any point.
    pub async fn post(&self, url: &Url, headers: HeaderMap, body: Bytes) -> Posted {
        let place = match guard::place(url, &self.private_hosts) {
            Ok(place) => place,
            Err(why) => return Posted::Refused { why },
        };
        match tokio::time::timeout(self.deadline, self.send(url, &place, headers, body)).await {
            Ok(posted) => posted,
            Err(_) => Posted::Unanswered {
                why: format!("{} did not answer within {:?}", place.host, self.deadline),
            },
        }
    }

    async fn send(&self, url: &Url, place: &Place, headers: HeaderMap, body: Bytes) -> Posted {
        let addresses = match addresses(&*self.resolve, place).await {
            Ok(addresses) => addresses,
            Err(NoAddress::Unknown(why)) => return Posted::Unanswered { why },
            Err(NoAddress::Private(why)) => return Posted::Refused { why },
        };
        match self.client.post(url, place, &addresses, headers, body).await {
            Ok((status, headers)) => {
                let retry_after = headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok());
                Posted::Answered { status: status.as_u16(), retry_after: retry_after.map(str::to_owned) }
            }
            Err(why) => Posted::Unanswered { why },
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// Gives another address each time it is asked.
    struct Rebinding {
        answers: Vec<IpAddr>,
        asked: AtomicUsize,
    }

    #[async_trait::async_trait]
    impl Resolve for Rebinding {
        async fn resolve(&self, _host: &str) -> std::io::Result<Vec<IpAddr>> {
            let n = self.asked.fetch_add(1, Ordering::SeqCst);
            Ok(vec![self.answers[n.min(self.answers.len() - 1)]])
        }
    }

    fn poster(answers: &[&str]) -> (Poster, Arc<Rebinding>) {
        let answers = answers.iter().map(|a| a.parse().unwrap()).collect();
        let resolve = Arc::new(Rebinding { answers, asked: AtomicUsize::new(0) });
        let deadline = Duration::from_millis(300);
        let poster = Poster::new("https://sl.example/", vec![], Arc::<Rebinding>::clone(&resolve), deadline);
        (poster.unwrap(), resolve)
    }

    async fn post(poster: &Poster, url: &str) -> Posted {
        poster.post(&Url::parse(url).unwrap(), HeaderMap::new(), Bytes::from_static(b"{}")).await
    }

    #[tokio::test]
    async fn what_is_written_is_looked_at() {
        let (poster, resolve) = poster(&["203.0.113.9"]);
        let bad = [
            "http://127.0.0.1/",
            "http://10.0.0.8/hook",
            "http://169.254.169.254/latest/",
            "http://100.64.1.1/",
            "http://[::1]/",
            "http://[::ffff:127.0.0.1]/",
            "http://[fe80::1]/",
            "http://0x7f.1/",
            "https://hooks.example:8443/",
            "http://hooks.example:22/",
        ];
        for url in bad {
            assert!(matches!(post(&poster, url).await, Posted::Refused { .. }), "{url}");
            let judged = poster.judge(&Url::parse(url).unwrap(), Duration::from_secs(1)).await;
            assert!(judged.is_err(), "{url}");
        }
        assert_eq!(resolve.asked.load(Ordering::SeqCst), 0, "no name was asked for");
    }

    #[tokio::test]
    async fn where_a_name_leads_is_looked_at_each_time() {
        for private in
            ["127.0.0.1", "10.1.2.3", "169.254.169.254", "100.100.0.1", "::1", "::ffff:10.0.0.1", "fd00::1"]
        {
            let (poster, _) = poster(&[private]);
            assert!(
                matches!(post(&poster, "https://hooks.example/").await, Posted::Refused { .. }),
                "{private}"
            );
            let url = Url::parse("https://hooks.example/").unwrap();
            assert!(poster.judge(&url, Duration::from_secs(1)).await.is_err(), "{private}");
        }
        // Good when it was given, private when it is sent to; one look-up for a message, so none in between.
        let (poster, resolve) = poster(&["8.8.8.8", "127.0.0.1"]);
        let url = Url::parse("http://hooks.example/").unwrap();
        assert_eq!(poster.judge(&url, Duration::from_secs(1)).await, Ok(()));
        assert!(matches!(post(&poster, url.as_str()).await, Posted::Refused { .. }));
        assert_eq!(resolve.asked.load(Ordering::SeqCst), 2);
    }
}
