//! Encrypted connections: with the authority that the configuration names, and with no other.

use std::path::{Path, PathBuf};
use std::process::Command;

use slugline::store::Error;
use slugline::store::redis::Settings;
use slugline::store::redis::conn::Conn;

use super::conn::{get, set};
use super::process::free_port;
use super::servers::{Cluster, Standalone};

/// An authority and a certificate of 127.0.0.1 that it has signed.
struct Certificates {
    dir: tempfile::TempDir,
}

impl Certificates {
    fn new() -> Certificates {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("names"), "subjectAltName=IP:127.0.0.1\n").unwrap();
        let key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
        let openssl = |words: &[&str]| {
            let done = Command::new("openssl").args(words).current_dir(dir.path()).output();
            let done = done.expect("openssl is installed (apt-get install -y openssl)");
            assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        };
        let authority = ["req", "-x509", "-subj", "/CN=authority", "-days", "2", "-keyout", "ca.key"];
        openssl(&[&authority[..], &key[..], &["-out", "ca.pem"]].concat());
        let request = ["req", "-subj", "/CN=redis", "-keyout", "server.key", "-out", "server.csr"];
        openssl(&[&request[..], &key[..]].concat());
        let sign = ["x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-days", "2"];
        openssl(&[&sign[..], &["-CAcreateserial", "-extfile", "names", "-out", "server.pem"]].concat());
        Certificates { dir }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn ca(&self) -> String {
        self.path("ca.pem").display().to_string()
    }

    /// Lines of redis.conf for a server that speaks plainly and encrypted.
    fn lines(&self) -> Vec<String> {
        let file = |option: &str, name: &str| format!("{option} {}", self.path(name).display());
        vec![
            format!("tls-port {}", free_port()),
            "tls-auth-clients no".to_owned(),
            file("tls-cert-file", "server.pem"),
            file("tls-key-file", "server.key"),
            file("tls-ca-cert-file", "ca.pem"),
        ]
    }
}

fn settings(mode: &str, port: &str, ca: &str) -> Settings {
    let text = format!(
        "[store]\n[store.redis]\nmode = \"{mode}\"\nurls = [\"rediss://127.0.0.1:{port}\"]\ntls_ca = \"{ca}\"\n"
    );
    super::servers::settings(&text)
}

#[tokio::test]
async fn only_the_named_authority_is_believed() {
    let (certificates, other) = (Certificates::new(), Certificates::new());
    let server = Standalone::start_with(|| certificates.lines()).await;
    let port = server.setting("tls-port").await;
    let conn = Conn::open(&settings("standalone", &port, &certificates.ca())).await.unwrap();
    conn.ask(set("a", "1")).await.unwrap();
    let mut messages = conn.subscribe("news").await.unwrap();
    assert_eq!(messages.recv().await.unwrap(), None);
    server.ask(&["PUBLISH", "news", "one"]).await;
    assert_eq!(messages.recv().await.unwrap().as_deref(), Some(&b"one"[..]));
    conn.close().await;
    assert_eq!(server.say(&["GET", "a"]).await, "1");
    for ca in [other.ca(), String::new()] {
        let conn = Conn::open(&settings("standalone", &port, &ca)).await.unwrap();
        assert!(matches!(conn.ask(get("a")).await, Err(Error::Unavailable(_))), "{ca}");
        conn.close().await;
    }
}

#[tokio::test]
async fn a_cluster_is_reached_encrypted() {
    let certificates = Certificates::new();
    let all_of_it = || {
        let mut lines = certificates.lines();
        lines.extend(["tls-cluster yes", "tls-replication yes"].map(str::to_owned));
        lines
    };
    let cluster = Cluster::start_with(all_of_it).await;
    let port = cluster.nodes[0].setting("tls-port").await;
    let conn = Conn::open(&settings("cluster", &port, &certificates.ca())).await.unwrap();
    for key in ["a", "b", "c", "d", "e", "f"] {
        conn.ask(set(key, "1")).await.unwrap();
    }
    conn.close().await;
}

#[tokio::test]
async fn a_file_that_is_no_certificate_is_refused() {
    let open =
        async |ca: &Path| Conn::open(&settings("standalone", "1", &ca.display().to_string())).await.err();
    let dir = tempfile::tempdir().unwrap();
    let missing = open(&dir.path().join("none.pem")).await;
    assert!(matches!(&missing, Some(Error::Refused(why)) if why.contains("tls_ca")), "{missing:?}");
    let odd = dir.path().join("odd.pem");
    std::fs::write(&odd, "no certificate").unwrap();
    let odd = open(&odd).await;
    assert!(matches!(&odd, Some(Error::Refused(why)) if why.contains("tls_ca")), "{odd:?}");
}
