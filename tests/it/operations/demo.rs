//! `slugline demo`: a newsroom to look at, that adds up like any other.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::mpsc;

use rustix::process::{Pid, Signal, kill_process};

use crate::harness::http::Http;
use crate::harness::wait::LONG;
use crate::harness::{Api, cli, eventually};

/// A demo that runs.
struct Demo {
    child: Child,
    /// The service's and the site's, from the lines that say so.
    service: url::Url,
    article: url::Url,
    key: Option<String>,
    /// What it says besides.
    lines: mpsc::Receiver<String>,
}

impl Demo {
    /// `first` if a key is to be printed.
    fn start(data: &Path, site: &str, first: bool) -> Demo {
        let mut command = cli::command();
        command.args(["demo", "--site", site, "--data"]).arg(data);
        for option in ["server.listen=127.0.0.1:0", "server.ops_listen=127.0.0.1:0", "log.filter=info"] {
            command.args(["--set", option]);
        }
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (tell, lines) = mpsc::channel();
        let (out, err) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        let tell_too = tell.clone();
        std::thread::spawn(move || {
            BufReader::new(out).lines().map_while(Result::ok).for_each(|l| drop(tell.send(l)))
        });
        std::thread::spawn(move || {
            BufReader::new(err).lines().map_while(Result::ok).for_each(|l| drop(tell_too.send(l)));
        });
        let mut said: Vec<String> = vec![];
        let about = ["The newsroom:", "Its site", "serving", if first { "slk_" } else { "serving" }];
        while !about.iter().all(|word| said.iter().any(|line| line.contains(word))) {
            said.push(lines.recv_timeout(LONG).unwrap_or_else(|error| panic!("{error}: {said:#?}")));
        }
        let url = |about: &str| {
            let line =
                said.iter().find(|line| line.starts_with(about)).unwrap_or_else(|| panic!("{said:#?}"));
            line.split_whitespace().last().unwrap().parse().unwrap()
        };
        let key = said.iter().flat_map(|line| line.split_whitespace()).find(|word| word.starts_with("slk_"));
        let key = key.map(str::to_owned);
        Demo { child, service: url("The newsroom:"), article: url("Its site"), key, lines }
    }

    fn api(&self, key: &str) -> Api {
        Api::new(self.service.socket_addrs(|| None).unwrap()[0], key)
    }

    fn stop(&mut self) -> Option<i32> {
        kill_process(Pid::from_child(&self.child), Signal::TERM).unwrap();
        self.child.wait().unwrap().code()
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        // Ended already is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

async fn clicks(api: &Api) -> u64 {
    // All four weeks of it.
    let from = jiff::Timestamp::now().as_second() - 40 * 24 * 3600;
    let from = jiff::Timestamp::from_second(from).unwrap();
    api.report(&format!("summary?from={from}")).await["clicks"].as_u64().unwrap()
}

#[test]
fn it_goes_into_no_folder_that_is_anybody_elses() {
    let dir = tempfile::tempdir().unwrap();
    let demo = |dir: &Path| {
        let ended = cli::run(["demo", "--site", "127.0.0.1:0", "--data", dir.to_str().unwrap()]);
        assert_eq!(ended.code, 1, "{ended:?}");
        ended.stderr
    };
    std::fs::write(dir.path().join("links.db"), "somebody's").unwrap();
    assert!(demo(dir.path()).contains("not the demo's"));
    std::fs::write(dir.path().join("demo"), "begun").unwrap();
    assert!(demo(dir.path()).contains("not made up to its end"));
}

#[tokio::test]
async fn it_shows_a_newsroom_that_adds_up() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let mut demo = Demo::start(&data, "127.0.0.1:0", true);
    let key = demo.key.clone().expect("the first start's key");
    let api = demo.api(&key);

    let all = eventually("four weeks of hits are counted", async || {
        Some(clicks(&api).await).filter(|n| *n > 40_000)
    });
    let all = all.await;
    eventually("readers go on coming", async || (clicks(&api).await > all).then_some(())).await;
    let links = api.all("/links").await;
    assert!(links.len() > 400, "{}", links.len());
    let codes = |status: &str| -> Vec<&str> {
        links
            .iter()
            .filter(|link| link["status"] == status)
            .filter_map(|link| link["code"].as_str())
            .collect()
    };
    assert_eq!(
        (codes("scheduled"), codes("reserved"), codes("expired")),
        (vec!["sea-wall"], vec!["spring-poster"], vec!["quiz"])
    );
    assert!(!codes("withdrawn").is_empty());
    assert!(links.iter().any(|link| link["broken"]["status"] == 404));
    let derby = links.iter().find(|link| link["code"] == "derby").unwrap();
    assert_ne!(derby["target"], derby["article"]["url"], "{derby}");
    for link in &links {
        assert!(
            link["channel"].is_null() || link["target"].as_str().unwrap().contains("utm_source="),
            "{link}"
        );
    }
    let sections = api.report("top?by=section&limit=20&from=2020-01-01").await;
    assert_eq!(sections["rows"].as_array().unwrap().len(), 8, "{sections}");

    // Its newest article has the button, and the service knows its short URL.
    let site = Http::new(demo.article.socket_addrs(|| None).unwrap()[0]);
    let page = site.get(demo.article.path()).await.expect(200).text();
    assert!(page.contains("<short-url>") && page.contains("/widget.js\" async"), "{page}");
    site.get("/nothing").await.expect(404);
    let asked: String = url::form_urlencoded::byte_serialize(demo.article.as_str().as_bytes()).collect();
    api.http.get(&format!("/api/v1/short-url?url={asked}")).await.expect(200);

    assert_eq!(demo.stop(), Some(0));
    cli::on(&data, &["verify", "--set", "newsroom.timezone=Europe/Dublin"]).done();

    // It goes on with what is there.
    let mut again = Demo::start(&data, &site.address().to_string(), false);
    let api = again.api(&key);
    assert_eq!(api.all("/links").await.len(), links.len());
    site.get(again.article.path()).await.expect(200);
    assert_eq!((again.stop(), &again.key), (Some(0), &None));
    assert!(again.lines.iter().all(|line| !line.contains("slk_")));
}
