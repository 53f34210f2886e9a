//! What the service does where HTTP cannot look: effects, and a configuration that is broken by itself.

use std::path::Path;
use std::sync::Mutex;

use serde_json::json;

use super::*;
use crate::hits::verify::tests::open_store;
use crate::store::Store;
use crate::store::conformance::{at, run};

async fn service(dir: &Path, base: Config) -> (Store, SettingsService) {
    let store = open_store(dir, "UTC");
    let service = SettingsService::open(Arc::clone(&store.documents), base).await.unwrap();
    (store, service)
}

/// Names of the newsroom, in the order in which they were put in force; one of "bad" is refused.
fn names(service: &SettingsService) -> Arc<Mutex<Vec<String>>> {
    let seen: Arc<Mutex<Vec<String>>> = Arc::default();
    let into = Arc::clone(&seen);
    service.on_change(Arc::new(move |config| {
        anyhow::ensure!(config.newsroom.name != "bad", "it cannot be put in force");
        into.lock().unwrap().push(config.newsroom.name.clone());
        Ok(())
    }));
    seen
}

async fn set(service: &SettingsService, value: &str) {
    service.change("newsroom.name", json!(value), None, "cli", at(1)).await.unwrap();
}

#[test]
fn what_is_put_in_force_is_what_was_read_last() {
    run(async {
        let dir = tempfile::tempdir().unwrap();
        let (store, service) = service(dir.path(), Config::defaults().unwrap()).await;
        let seen = names(&service);
        set(&service, "a").await;
        service.reload().await.unwrap();
        set(&service, "b").await;
        set(&service, "b").await;
        assert_eq!(*seen.lock().unwrap(), ["a", "b"], "nothing twice");
        // What cannot be put in force leaves what is.
        set(&service, "bad").await;
        assert_eq!(service.now().config.newsroom.name, "b");
        set(&service, "c").await;
        assert_eq!(*seen.lock().unwrap(), ["a", "b", "c"]);
        let mut base = Config::defaults().unwrap();
        base.newsroom.name = "base".into();
        service.rebase(base.clone()).await.unwrap();
        assert_eq!(service.now().config.newsroom.name, "c", "staff win over what is no more than a default");
        service.remove("newsroom.name", "cli", at(2)).await.unwrap();
        assert_eq!(service.now().config.newsroom.name, "base");
        assert_eq!(effective(&base, &*store.documents).await.unwrap().newsroom.name, "base");
        store.close().await.unwrap();
    });
}

#[test]
fn a_broken_configuration_is_not_blamed_on_staff() {
    run(async {
        let dir = tempfile::tempdir().unwrap();
        let networks = dir.path().join("networks.toml");
        std::fs::write(&networks, "").unwrap();
        let mut base = Config::defaults().unwrap();
        base.clients.networks_file = networks.display().to_string();
        let (store, service) = service(dir.path(), base.clone()).await;
        let seen = names(&service);
        set(&service, "a").await;
        std::fs::write(&networks, "nonsense").unwrap();
        let error = service.rebase(base.clone()).await.unwrap_err();
        assert!(error.to_string().contains("clients.networks_file"), "{error}");
        let refused = service.change("newsroom.name", json!("b"), None, "cli", at(2)).await.unwrap_err();
        assert!(refused.to_string().contains("clients.networks_file"), "{refused}");
        // Changed by another process meanwhile: it waits.
        let by_another = DocumentChange {
            kind: DocumentKind::Setting,
            name: "newsroom.name".into(),
            value: Some(json!("c")),
            seen: None,
            by: "cli".into(),
            at: at(3),
        };
        store.documents.change_document(by_another).await.unwrap();
        service.reload().await.unwrap();
        assert_eq!((service.now().config.newsroom.name.as_str(), service.now().left_out.len()), ("a", 0));
        std::fs::write(&networks, "").unwrap();
        service.reload().await.unwrap();
        assert_eq!(*seen.lock().unwrap(), ["a", "c"]);
        store.close().await.unwrap();
    });
}

#[test]
fn who_goes_away_while_it_is_put_in_force_does_not_change_the_order() {
    run(async {
        let dir = tempfile::tempdir().unwrap();
        let (store, service) = service(dir.path(), Config::defaults().unwrap()).await;
        let (tell, mut begun) = tokio::sync::mpsc::unbounded_channel();
        let (release, released) = std::sync::mpsc::channel::<()>();
        let (seen, released): (Arc<Mutex<Vec<String>>>, _) = (Arc::default(), Mutex::new(released));
        let into = Arc::clone(&seen);
        service.on_change(Arc::new(move |config| {
            if config.newsroom.name == "slow" {
                tell.send(())?;
                released.lock().unwrap().recv()?;
            }
            into.lock().unwrap().push(config.newsroom.name.clone());
            Ok(())
        }));
        tokio::select! {
            () = set(&service, "slow") => panic!("it is held up"),
            begun = begun.recv() => begun.unwrap(),
        }
        tokio::join!(set(&service, "next"), async { release.send(()).unwrap() });
        assert_eq!(*seen.lock().unwrap(), ["slow", "next"]);
        assert_eq!(service.now().config.newsroom.name, "next");
        store.close().await.unwrap();
    });
}
