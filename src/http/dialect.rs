//! Which dialect a request is in: its path decides, whatever comes of it.

use super::myotp;
use super::problem::Problem;
use axum::http::header;
use axum::response::Response;

/// A dialect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// Our own.
    Native,
    /// MyOTP.App's, whose errors stand in an envelope of this name.
    MyOtp(&'static str),
}

impl Dialect {
    /// That of a path.
    pub(crate) fn of(path: &str) -> Self {
        myotp::envelope(path).map_or(Self::Native, Self::MyOtp)
    }

    /// Says an error as this dialect's clients read it.
    pub(crate) fn say(self, mut answer: Response) -> Response {
        let problem = answer.extensions_mut().remove::<Problem>();
        let Some(problem) = problem.filter(|_| self != Self::Native) else { return answer };
        let mut said = match self {
            Self::Native => return answer,
            Self::MyOtp(envelope) => myotp::say(&problem, envelope),
        };
        for name in [header::ALLOW, header::RETRY_AFTER] {
            if let Some(value) = answer.headers_mut().remove(&name) {
                said.headers_mut().insert(name, value);
            }
        }
        said
    }
}
