//! `/v1/modems/{id}`: what is done to one modem.

use crate::gateway::{Gateway, Log};
use otpgate::domain::equipment::Imei;
use otpgate::modem::board::ModemState;
use otpgate::store::Scope;

const IMEI: &str = "001017000000001";

async fn two_modems() -> Gateway {
    let gateway = Gateway::start().await;
    gateway.modem(0, ModemState::Ready);
    gateway.modem(1, ModemState::Quarantined);
    gateway.board.update(0, |m| m.imei = Some(Imei::new(IMEI)));
    gateway.board.update(1, |m| m.port = "/dev/ttyUSB3".into());
    gateway
}

#[tokio::test(start_paused = true)]
async fn a_modem_in_quarantine_is_tried_when_an_admin_says_so() {
    let gateway = two_modems().await;
    let (board, resume) = (gateway.board.clone(), gateway.resumes[1].clone());
    let driver = tokio::spawn(async move {
        resume.given().await;
        board.update(1, |m| m.state = ModemState::Recovering);
        resume.heard();
    });
    // It never told its IMEI.
    let id = gateway.call("GET /v1/modems", "").await.json()["items"][1]["id"].as_str().unwrap().to_owned();
    assert!(id.starts_with("port-") && !id.contains("ttyUSB"), "{id}");
    let log = Log::begin();
    let reply = gateway.call(&format!("POST /v1/modems/{id}/resume"), "").await;
    assert_eq!(reply.outcome(), "200");
    assert_eq!((&reply.json()["id"], &reply.json()["state"]), (&id.into(), &"recovering".into()));
    assert_eq!(log.with("A modem is to be tried now").len(), 1);
    driver.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn the_word_to_resume_is_kept_until_the_driver_hears_it_and_given_once() {
    let gateway = two_modems().await;
    for _ in 0..2 {
        let reply = gateway.call(&format!("POST /v1/modems/{IMEI}/resume"), "{}").await;
        assert_eq!(reply.outcome(), "200");
        assert_eq!(reply.json()["state"], "ready", "as it is");
    }
    gateway.resumes[0].given().await;
    let again = tokio::time::timeout(std::time::Duration::from_secs(60), gateway.resumes[0].given());
    assert!(again.await.is_err());
}

#[tokio::test(start_paused = true)]
async fn resume_takes_an_admin_and_a_modem_that_is_there() {
    let gateway = two_modems().await;
    let line = format!("POST /v1/modems/{IMEI}/resume");
    let key = gateway.key(&[Scope::Read, Scope::Send], &[]).await;
    assert_eq!(gateway.call_as(&key, &line, "", &[]).await.status, 403);
    assert_eq!(gateway.call("POST /v1/modems/001017000000002/resume", "").await.outcome(), "404 not_found");
    assert_eq!(gateway.call("POST /v1/modems/0/resume", "").await.outcome(), "404 not_found");
    assert_eq!(gateway.call(&line, r#"{"when":"now"}"#).await.status, 422);
}
