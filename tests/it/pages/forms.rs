//! Pages as a browser without a script sees them: fetched, read, and sent back as forms.

use http::Method;

use crate::harness::Answer;
use crate::harness::http::Call;
use crate::sessions::browser::Browser;

/// A request with the cookie and nothing that says where it comes from.
pub fn call(by: &Browser, method: Method, path: &str) -> Call {
    by.http.call(method, path).header("cookie", &by.cookie)
}

/// A page.
pub async fn get(by: &Browser, path: &str) -> Answer {
    call(by, Method::GET, path).send().await
}

/// A form that comes from nowhere in particular.
pub fn form(by: &Browser, path: &str, pairs: &[(&str, &str)]) -> Call {
    let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
    call(by, Method::POST, path).text("application/x-www-form-urlencoded", body)
}

/// A form of a page of ours.
pub async fn post(by: &Browser, path: &str, pairs: &[(&str, &str)]) -> Answer {
    form(by, path, pairs).header("sec-fetch-site", "same-origin").send().await
}

/// Path and query of an address.
pub fn path_of(url: &str) -> String {
    let url = url::Url::parse(url).unwrap();
    format!("{}?{}", url.path(), url.query().unwrap_or_default())
}
