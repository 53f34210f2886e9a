//! A browser with one window, for one test: goes somewhere, finds, clicks, types, waits, and says what it sees.
//!
//! Nothing here waits for time: what shall be there is asked for until it is. At the end of a test, what the pages wrote
//! to the console as an error is a failure, unless the test has taken it.

use std::panic::AssertUnwindSafe;

use fantoccini::actions::{InputSource, KeyAction, KeyActions};
use fantoccini::elements::Element;
use fantoccini::wd::{Capabilities, WebDriverCompatibleCommand};
use fantoccini::{Client, ClientBuilder, Locator};
use futures_util::FutureExt;
use http::Method;
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use url::Url;

use super::driver::Driver;
use crate::harness::eventually;

/// How a browser is set.
#[derive(Clone, Copy, Debug, Default)]
pub struct Setting {
    /// No page may run a script.
    pub without_scripts: bool,
    /// The first of the reader's languages.
    pub language: Option<&'static str>,
    /// Dark instead of light.
    pub dark: bool,
    /// Width of the window, if it matters.
    pub width: Option<u32>,
}

/// Keys that are no letters.
#[derive(Clone, Copy, Debug)]
pub enum Key {
    Left,
    Right,
    Home,
    End,
    Tab,
    Enter,
    Space,
}

impl Key {
    fn value(self) -> char {
        match self {
            Key::Tab => '\u{e004}',
            Key::Left => '\u{e012}',
            Key::Right => '\u{e014}',
            Key::Home => '\u{e011}',
            Key::End => '\u{e010}',
            Key::Enter => '\u{e007}',
            Key::Space => ' ',
        }
    }
}

/// A window.
pub struct Page {
    client: Client,
}

/// A call that only Chromium's driver knows.
#[derive(Debug)]
struct Own {
    path: &'static str,
    body: Value,
}

impl WebDriverCompatibleCommand for Own {
    fn endpoint(&self, base: &Url, session: Option<&str>) -> Result<Url, url::ParseError> {
        base.join(&format!("session/{}/{}", session.unwrap_or_default(), self.path))
    }

    fn method_and_body(&self, _: &Url) -> (Method, Option<String>) {
        (Method::POST, Some(self.body.to_string()))
    }
}

/// Runs a test in a browser of its own.
pub async fn browse(setting: Setting, test: impl AsyncFnOnce(&Page)) {
    let _room = Driver::room().await;
    let driver = Driver::get();
    let client = connect(&driver, setting).await;
    let session = client.session_id().await.unwrap().unwrap();
    let page = Page { client };
    let outcome = AssertUnwindSafe(async {
        page.set(setting).await;
        test(&page).await;
        page.no_errors().await;
    })
    .catch_unwind()
    .await;
    // Also after a failure: a browser that nobody ends goes on.
    driver.end(&session).await;
    drop(page);
    if let Err(failure) = outcome {
        std::panic::resume_unwind(failure);
    }
}

async fn connect(driver: &Driver, setting: Setting) -> Client {
    let mut arguments: Vec<String> = [
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--no-first-run",
        "--hide-scrollbars",
        // Names of the tests' own are this machine, and no page of theirs has encryption.
        "--host-resolver-rules=MAP *.example 127.0.0.1",
    ]
    .map(str::to_owned)
    .into();
    arguments.push(format!("--window-size={},900", setting.width.unwrap_or(1280)));
    let languages = setting.language.unwrap_or("en");
    let capabilities = json!({
        "browserName": "chrome",
        "goog:loggingPrefs": { "browser": "ALL" },
        "goog:chromeOptions": {
            "args": arguments,
            "prefs": { "intl.accept_languages": languages },
        },
    });
    let capabilities: Capabilities = capabilities.as_object().unwrap().clone();
    let mut builder = ClientBuilder::new(HttpConnector::new());
    let connected = builder.capabilities(capabilities).connect(&driver.url()).await;
    connected.unwrap_or_else(|error| {
        panic!("no browser: {error}. Install it: apt-get install --no-install-recommends chromium chromium-driver")
    })
}

impl Page {
    async fn set(&self, setting: Setting) {
        if setting.without_scripts {
            self.devtools("Emulation.setScriptExecutionDisabled", json!({ "value": true })).await;
        }
        if setting.dark {
            let dark = json!({ "features": [{ "name": "prefers-color-scheme", "value": "dark" }] });
            self.devtools("Emulation.setEmulatedMedia", dark).await;
        }
    }

    async fn own(&self, path: &'static str, body: Value) -> Value {
        self.client.issue_cmd(Own { path, body }).await.unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    /// A call of Chromium's developer tools.
    pub async fn devtools(&self, call: &str, parameters: Value) -> Value {
        self.own("goog/cdp/execute", json!({ "cmd": call, "params": parameters })).await
    }

    /// Goes to an address and waits until it is loaded.
    pub async fn go(&self, url: &str) {
        self.client.goto(url).await.unwrap_or_else(|error| panic!("{url}: {error}"));
    }

    /// Where it is.
    pub async fn url(&self) -> Url {
        self.client.current_url().await.unwrap()
    }

    /// Waits until it is at an address that this holds of.
    pub async fn at(&self, what: &str, holds: impl Fn(&Url) -> bool) -> Url {
        eventually(what, async || Some(self.url().await).filter(&holds)).await
    }

    /// Waits until there is an element.
    pub async fn find(&self, css: &str) -> Element {
        eventually(css, async || self.client.find(Locator::Css(css)).await.ok()).await
    }

    /// Waits until there is an element in the shadow of another.
    pub async fn find_in_shadow(&self, host: &str, css: &str) -> Element {
        let script = "return document.querySelector(arguments[0])?.shadowRoot?.querySelector(arguments[1])";
        let found = eventually(&format!("{css} in {host}"), async || {
            let found = self.run(script, vec![json!(host), json!(css)]).await;
            found.as_object()?.values().next()?.as_str().map(str::to_owned)
        })
        .await;
        Element::from_element_id(self.client.clone(), found.into())
    }

    /// Clicks an element, once it is there.
    pub async fn click(&self, css: &str) {
        self.find(css).await.click().await.unwrap();
    }

    /// Presses a key where the focus is.
    pub async fn press(&self, key: Key) {
        let value = key.value();
        let keys =
            KeyActions::new("keys".to_owned()).then(KeyAction::Down { value }).then(KeyAction::Up { value });
        self.client.perform_actions(keys).await.unwrap();
    }

    /// Types where the focus is.
    pub async fn type_text(&self, text: &str) {
        let keys = text.chars().fold(KeyActions::new("keys".to_owned()), |keys, value| {
            keys.then(KeyAction::Down { value }).then(KeyAction::Up { value })
        });
        self.client.perform_actions(keys).await.unwrap();
    }

    /// Runs a script in the page and gives what it returns; also where the page itself may run none.
    pub async fn run(&self, script: &str, arguments: Vec<Value>) -> Value {
        self.client.execute(script, arguments).await.unwrap_or_else(|error| panic!("{script}: {error}"))
    }

    /// The text of an element, as it is seen; waits until there is one that is not empty.
    pub async fn text(&self, css: &str) -> String {
        eventually(css, async || {
            let element = self.client.find(Locator::Css(css)).await.ok()?;
            element.text().await.ok().filter(|text| !text.is_empty())
        })
        .await
    }

    /// What was copied last. The page must have the focus.
    pub async fn clipboard(&self) -> String {
        let origin = self.url().await.origin().ascii_serialization();
        let permissions = json!({ "origin": origin, "permissions": ["clipboardReadWrite"] });
        self.devtools("Browser.grantPermissions", permissions).await;
        let read =
            "const done = arguments[0]; navigator.clipboard.readText().then(done, (e) => done('!' + e))";
        self.client.execute_async(read, vec![]).await.unwrap().as_str().unwrap().to_owned()
    }

    /// Errors on the console since it was last asked.
    pub async fn errors(&self) -> Vec<String> {
        let lines = self.own("se/log", json!({ "type": "browser" })).await;
        let errors = lines.as_array().unwrap().iter().filter(|line| line["level"] == "SEVERE");
        errors.map(|line| line["message"].as_str().unwrap_or_default().to_owned()).collect()
    }

    /// Fails if pages wrote errors to the console.
    pub async fn no_errors(&self) {
        let errors = self.errors().await;
        assert!(errors.is_empty(), "{errors:#?}");
    }

    /// Waits until a further window was opened, and goes to it.
    pub async fn next_window(&self) {
        let here = self.client.window().await.unwrap();
        let other = eventually("another window", async || {
            self.client.windows().await.unwrap().into_iter().find(|window| *window != here)
        });
        self.client.switch_to_window(other.await).await.unwrap();
    }

    /// Closes this window and goes back to the one that is left.
    pub async fn close_window(&self) {
        self.client.close_window().await.unwrap();
        let left = self.client.windows().await.unwrap().remove(0);
        self.client.switch_to_window(left).await.unwrap();
    }

    /// How many windows there are.
    pub async fn windows(&self) -> usize {
        self.client.windows().await.unwrap().len()
    }
}
