//! What people and programs do with Slugline, one method for each action.

use std::net::SocketAddr;

use http::Method;
use serde_json::{Value, json};

use super::BROWSER;
use super::http::{Answer, Call, Http};
use super::wait::eventually;

/// The public listener of a server, with a key.
#[derive(Clone)]
pub struct Api {
    pub http: Http,
    pub key: String,
}

impl Api {
    pub fn new(address: SocketAddr, key: &str) -> Api {
        Api { http: Http::new(address), key: key.to_owned() }
    }

    /// The same server with another key.
    pub fn with_key(&self, key: &str) -> Api {
        Api { http: self.http.clone(), key: key.to_owned() }
    }

    /// The same server as a new key of this role.
    pub async fn as_role(&self, role: &str) -> Api {
        let made =
            self.post("/keys", &json!({ "name": format!("a {role}"), "role": role })).await.expect(201);
        self.with_key(made.json()["key"].as_str().unwrap())
    }

    /// The id within the key: who `created_by` is, after `key:`.
    pub fn key_id(&self) -> &str {
        self.key.split('_').nth(1).unwrap()
    }

    /// A call below `/api/v1`.
    pub fn call(&self, method: Method, path: &str) -> Call {
        self.http.call(method, &format!("/api/v1{path}")).key(&self.key)
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.call(Method::GET, path).send().await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.call(Method::POST, path).json(body).send().await
    }

    pub async fn patch(&self, path: &str, body: &Value) -> Answer {
        self.call(Method::PATCH, path).json(body).send().await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        self.call(Method::DELETE, path).send().await
    }

    /// Makes a link that was not there and gives it.
    #[track_caller]
    pub fn create(&self, body: Value) -> impl Future<Output = Value> {
        let caller = std::panic::Location::caller();
        async move {
            let made = self.post("/links", &body).await;
            assert_eq!(made.status, 201, "{caller}: {body}: {}", made.text());
            made.json()
        }
    }

    /// Makes a link to an address and gives its code.
    pub async fn shorten(&self, url: &str) -> String {
        let link = self.create(json!({ "url": url })).await;
        link["code"].as_str().unwrap().to_owned()
    }

    /// A link as it is now.
    pub async fn link(&self, code: &str) -> Value {
        self.get(&format!("/links/{code}")).await.expect(200).json()
    }

    /// What a request for a link to this address would do.
    pub async fn lookup(&self, url: &str) -> Value {
        let url: String = url::form_urlencoded::byte_serialize(url.as_bytes()).collect();
        self.get(&format!("/lookup?url={url}")).await.expect(200).json()
    }

    /// Changes a link as it is now; `fields` need no version.
    pub async fn change(&self, code: &str, fields: Value) -> Answer {
        let mut body = fields;
        body["version"] = self.link(code).await["version"].clone();
        self.patch(&format!("/links/{code}"), &body).await
    }

    /// Asks for a code as a person's browser does. `code` may have anything after it that a path may have.
    pub async fn follow(&self, code: &str) -> Answer {
        self.follow_with(code, &[("user-agent", BROWSER)]).await
    }

    /// Asks for a code with exactly these headers.
    pub async fn follow_with(&self, code: &str, headers: &[(&str, &str)]) -> Answer {
        self.http.call(Method::GET, &format!("/{code}")).headers(headers).send().await
    }

    /// Follows a link as a person, `n` times, all of which must lead on.
    pub async fn follow_times(&self, code: &str, n: usize) {
        for _ in 0..n {
            let answer = self.follow(code).await;
            assert!((301..=308).contains(&answer.status), "{code}: {}", answer.status);
        }
    }

    /// A report, like `summary?scope=site`.
    pub async fn report(&self, query: &str) -> Value {
        self.get(&format!("/reports/{query}")).await.expect(200).json()
    }

    /// Waits until every hit that was answered is counted.
    pub async fn settle(&self) {
        eventually("every hit is counted", async || {
            (self.report("summary").await["waiting"] == 0).then_some(())
        })
        .await;
    }

    /// All hits of a link, once they are counted: clicks, previews, bots.
    pub async fn totals(&self, code: &str) -> (u64, u64, u64) {
        self.settle().await;
        let totals = self.link(code).await["totals"].clone();
        let n = |name: &str| totals[name].as_u64().unwrap_or_else(|| panic!("{name}: {totals}"));
        (n("clicks"), n("previews"), n("bots"))
    }

    /// Every item of a list, page by page.
    pub async fn all(&self, path: &str) -> Vec<Value> {
        let mut items = vec![];
        let mut cursor: Option<String> = None;
        loop {
            let and = if path.contains('?') { '&' } else { '?' };
            let page = match &cursor {
                None => path.to_owned(),
                Some(cursor) => format!("{path}{and}cursor={cursor}"),
            };
            let page = self.get(&page).await.expect(200).json();
            items.extend(page["items"].as_array().unwrap().iter().cloned());
            match page["next_cursor"].as_str() {
                Some(next) => cursor = Some(next.to_owned()),
                None => return items,
            }
        }
    }
}
