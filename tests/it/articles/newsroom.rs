//! A newsroom's site and the server beside it.

use std::io;
use std::net::TcpStream;

use slugline::config::Config;

use super::site::{Asked, Site};
use crate::harness::{TestApp, Value, json};

/// A server that may read the pages of a site on this machine, and adds `utm_source=x` to what is shared on `x`.
pub struct Newsroom {
    pub app: TestApp,
    pub site: Site,
}

impl Newsroom {
    pub async fn start(
        answer: impl Fn(&Asked, &mut TcpStream) -> io::Result<()> + Send + Sync + 'static,
    ) -> Newsroom {
        Newsroom::start_with(answer, |_| ()).await
    }

    /// The same, configured further.
    pub async fn start_with(
        answer: impl Fn(&Asked, &mut TcpStream) -> io::Result<()> + Send + Sync + 'static,
        more: impl FnOnce(&mut Config),
    ) -> Newsroom {
        let site = Site::start(answer);
        let app = TestApp::start_with(|config| {
            allow(config, &site);
            more(config);
        })
        .await;
        Newsroom { app, site }
    }

    pub fn url(&self, path: &str) -> String {
        self.site.url("127.0.0.1", path).into()
    }

    /// The link of an address, made or found.
    pub async fn make(&self, path: &str) -> Value {
        let answer = self.app.api.post("/links", &json!({ "url": self.url(path) })).await;
        assert!(matches!(answer.status, 200 | 201), "{path}: {}", answer.text());
        answer.json()
    }

    pub async fn article(&self, id: &Value) -> Value {
        self.app.api.get(&format!("/articles/{}", id.as_str().unwrap())).await.expect(200).json()
    }

    /// Changes an article as it is now.
    pub async fn change(&self, id: &Value, mut fields: Value) -> Value {
        fields["version"] = self.article(id).await["version"].clone();
        let path = format!("/articles/{}", id.as_str().unwrap());
        self.app.api.patch(&path, &fields).await.expect(200).json()
    }
}

/// The configuration of such a server.
pub fn allow(config: &mut Config, site: &Site) {
    let host = format!("127.0.0.1:{}", site.port);
    config.articles.allowed_hosts = vec![host.clone()];
    config.articles.fetch_private_hosts = vec![host];
    let utm = [("utm_source".to_owned(), "x".to_owned())].into();
    config.links.channels.insert("x".into(), utm);
}
