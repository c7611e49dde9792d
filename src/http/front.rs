//! What every request passes first and every answer last, whatever its path.

use super::Settings;
use super::address::{self, Connection};
use super::dialect::Dialect;
use super::problem::{self, Kind, Problem};
use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderValue, StatusCode, Uri, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

/// What the front needs to know.
pub(crate) struct Front {
    pub(crate) settings: Settings,
    /// Whether every answer says that no message reaches a phone.
    pub(crate) simulated: bool,
}

/// Puts the front before all routes.
pub(crate) fn around(router: Router, front: Front) -> Router {
    router
        .fallback(async || Problem::of_status(StatusCode::NOT_FOUND))
        .layer(middleware::from_fn_with_state(Arc::new(front), pass))
}

async fn pass(State(front): State<Arc<Front>>, request: Request, next: Next) -> Response {
    let local = request.extensions().get::<Connection>().map(|c| c.local.ip());
    let (line, dialect) = (Line::of(&request), Dialect::of(request.uri().path()));
    let proved = check_head(&request)
        .and_then(|()| address::check_host(request.headers(), request.uri(), local, &front.settings));
    let answer = match proved {
        Ok(()) => unless_it_panics(next.run(request)).await,
        Err(problem) => problem.into_response(),
    };
    let mut answer = dialect.say(as_problem(answer));
    line.log(answer.status());
    let headers = answer.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if front.simulated {
        headers.insert("otpgate-simulated", HeaderValue::from_static("true"));
    }
    answer
}

/// Refuses a head that is larger than any of ours. What is so large that hyper does not read it gets its bare answer.
fn check_head(request: &Request) -> Result<(), Problem> {
    let headers = request.headers();
    // As they came, with a colon, a space and a line's end each.
    let fields: usize = headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
    if headers.len() <= MAX_HEADERS && fields + target_length(request.uri()) <= HEAD_LIMIT {
        return Ok(());
    }
    let (fields, kib) = (MAX_HEADERS, HEAD_LIMIT / 1024);
    Err(Problem::new(
        Kind::HeadTooLarge,
        format!("A request has at most {fields} header fields, and {kib} KiB of them with its path; send less."),
    ))
}

fn target_length(uri: &Uri) -> usize {
    uri.path().len() + uri.query().map_or(0, str::len)
}

/// A request that panics is answered like any other. What the panic said stays with the panic hook.
async fn unless_it_panics(answer: impl Future<Output = Response>) -> Response {
    let mut answer = pin!(answer);
    std::future::poll_fn(|context| {
        catch_unwind(AssertUnwindSafe(|| answer.as_mut().poll(context)))
            .unwrap_or_else(|_| Poll::Ready(Problem::of_status(StatusCode::INTERNAL_SERVER_ERROR).into_response()))
    })
    .await
}

/// Turns an error that the framework made into a problem; only what `Allow` says is kept of it.
fn as_problem(answer: Response) -> Response {
    let status = answer.status();
    let is_problem = answer.headers().get(header::CONTENT_TYPE) == Some(&problem::CONTENT_TYPE);
    if is_problem || !(status.is_client_error() || status.is_server_error()) {
        return answer;
    }
    let mut problem = Problem::of_status(status).into_response();
    if let Some(allow) = answer.headers().get(header::ALLOW) {
        problem.headers_mut().insert(header::ALLOW, allow.clone());
    }
    problem
}

/// What the log says of a request: the route, never the path or the query, which may hold a number.
struct Line {
    method: axum::http::Method,
    route: String,
}

impl Line {
    fn of(request: &Request) -> Self {
        let route = request.extensions().get::<MatchedPath>().map_or("no route", MatchedPath::as_str);
        Self { method: request.method().clone(), route: route.to_owned() }
    }

    fn log(&self, status: StatusCode) {
        let (method, route, status) = (&self.method, &self.route, status.as_u16());
        match status {
            500.. => tracing::warn!(http.method = %method, http.route = route, http.status = status, "Answered"),
            _ => tracing::debug!(http.method = %method, http.route = route, http.status = status, "Answered"),
        }
    }
}

/// Header fields of a request.
pub(super) const MAX_HEADERS: usize = 64;
/// Octets of a request's head.
pub(super) const HEAD_LIMIT: usize = 32 * 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Body;
    use axum::extract::Path;
    use axum::routing::{get, post};
    use http_body_util::BodyExt;
    use tower::ServiceExt;

    fn app(simulated: bool) -> Router {
        let router = Router::new()
            .route("/fine", get(async || "fine"))
            .route("/panic", get(async || -> &'static str { panic!("the code is 123456") }))
            .route(
                "/late",
                get(async || -> &'static str {
                    tokio::task::yield_now().await;
                    panic!("+14155550100")
                }),
            )
            .route("/number/{n}", get(async |Path(_): Path<u8>| "a number"))
            .route("/bare", post(async || StatusCode::IM_A_TEAPOT));
        around(router, Front { settings: Settings::default(), simulated })
    }

    async fn ask(method: &str, path: &str, host: &str) -> (StatusCode, axum::http::HeaderMap, String) {
        let request = Request::builder().method(method).uri(path).header("host", host).body(Body::empty()).unwrap();
        let (parts, body) = app(false).oneshot(request).await.unwrap().into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        (parts.status, parts.headers, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn every_error_is_a_problem() {
        let rows = [
            ("no such path", "GET", "/nowhere", "localhost", 404, "not_found"),
            ("no such method", "DELETE", "/fine", "localhost", 405, "method_not_allowed"),
            ("the framework's own rejection", "GET", "/number/x", "localhost", 400, "bad_request"),
            ("a bare status", "POST", "/bare", "localhost", 418, "http_error"),
            ("an unknown host", "GET", "/fine", "evil.example", 421, "unknown_host"),
            ("an unknown host, before any path", "GET", "/nowhere", "evil.example", 421, "unknown_host"),
            ("a panic", "GET", "/panic", "localhost", 500, "internal"),
            ("a panic after a pause", "GET", "/late", "localhost", 500, "internal"),
        ];
        for (name, method, path, host, status, code) in rows {
            let (got, headers, body) = ask(method, path, host).await;
            assert_eq!(got.as_u16(), status, "{name}");
            assert_eq!(headers["content-type"], "application/problem+json", "{name}");
            let json: serde_json::Value = serde_json::from_str(&body).unwrap();
            assert_eq!(json["code"], code, "{name}");
            assert_eq!(json["status"], status, "{name}");
            assert_eq!(json["type"], format!("urn:otpgate:problem:{code}"), "{name}");
            assert!(
                !body.contains("123456") && !body.contains("14155550100") && !body.contains("evil"),
                "{name}: {body}"
            );
        }
    }

    #[tokio::test]
    async fn a_refused_method_names_those_that_are_not() {
        let (_, headers, _) = ask("DELETE", "/fine", "localhost").await;
        assert_eq!(headers["allow"], "GET,HEAD");
    }

    #[tokio::test]
    async fn answers_are_not_cached_and_say_when_they_are_simulated() {
        let (status, headers, body) = ask("GET", "/fine", "localhost").await;
        assert_eq!((status.as_u16(), body.as_str()), (200, "fine"));
        assert_eq!(headers["cache-control"], "no-store");
        assert!(!headers.contains_key("otpgate-simulated"));
        for path in ["/fine", "/nowhere", "/panic"] {
            let request = Request::builder().uri(path).header("host", "localhost").body(Body::empty()).unwrap();
            let answer = app(true).oneshot(request).await.unwrap();
            assert_eq!(answer.headers()["otpgate-simulated"], "true", "{path}");
        }
    }
}
