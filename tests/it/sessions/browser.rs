//! A browser as far as sessions go: it keeps a cookie, and says which page a request comes from.

use http::Method;

use crate::harness::http::{Call, Http};
use crate::harness::{Answer, Api, Value, json};

/// What every password of these tests is.
pub const PASSWORD: &str = "correct horse";

/// Somebody's browser.
#[derive(Clone)]
pub struct Browser {
    pub http: Http,
    /// As it is sent: name and value.
    pub cookie: String,
}

/// The cookie that an answer sets, as it is sent back.
pub fn cookie_of(answer: &Answer) -> String {
    answer.header("set-cookie").split(';').next().unwrap().to_owned()
}

/// Adds a user with the password of these tests.
pub async fn add_user(admin: &Api, name: &str, role: &str) {
    let body = json!({ "name": name, "role": role, "password": PASSWORD });
    admin.post("/users", &body).await.expect(201);
}

/// Asks to be signed in from a page of the service.
pub async fn ask(http: &Http, body: &Value) -> Answer {
    let origin = format!("http://{}", http.address());
    http.call(Method::POST, "/api/v1/sessions").header("origin", &origin).json(body).send().await
}

impl Browser {
    /// Signs somebody in.
    pub async fn of(http: &Http, name: &str) -> Browser {
        let answer = ask(http, &json!({ "name": name, "password": PASSWORD })).await.expect(201);
        Browser { http: http.clone(), cookie: cookie_of(&answer) }
    }

    /// Adds a user and signs them in.
    pub async fn new(admin: &Api, name: &str, role: &str) -> Browser {
        add_user(admin, name, role).await;
        Browser::of(&admin.http, name).await
    }

    /// A call with the cookie and nothing else.
    pub fn bare(&self, method: Method, path: &str) -> Call {
        self.http.call(method, &format!("/api/v1{path}")).header("cookie", &self.cookie)
    }

    /// A call from a page of the service.
    pub fn call(&self, method: Method, path: &str) -> Call {
        self.bare(method, path).header("sec-fetch-site", "same-origin")
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

    /// Fails the test unless it is signed out.
    pub async fn is_out(&self) {
        self.get("/links").await.expect_problem(401, "unauthenticated", None);
    }
}
