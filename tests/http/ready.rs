//! `/healthz`, `/readyz` and `/v1/modems`.

use crate::gateway::{Gateway, Log, PLAIN};
use otpgate::domain::equipment::{Imei, SimCard};
use otpgate::domain::learned::{ModelName, ModelTraits, SimCardTraits};
use otpgate::modem::board::ModemState;
use otpgate::ops::clock::Clock;
use std::time::Duration;

#[tokio::test(start_paused = true)]
async fn ready_means_that_a_modem_can_send() {
    let gateway = Gateway::start().await;
    let ready = async || gateway.call_as("", "GET /readyz", "", &[]).await;
    let reply = ready().await;
    assert_eq!(reply.outcome(), "503 not_ready");
    assert!(reply.text.contains("There is no modem"), "{}", reply.text);
    gateway.modem(0, ModemState::Waiting);
    gateway.modem(1, ModemState::Starting);
    gateway.board.update(0, |m| m.imei = Some(Imei::new("001017000000001")));
    let reply = ready().await;
    assert!(reply.text.contains("1 starting, 1 waiting"), "{}", reply.text);
    assert!(!reply.text.contains("001017"), "open to all, so it names nobody");
    gateway.verification(PLAIN).await;
    for state in [ModemState::Ready, ModemState::Sending] {
        gateway.modem(1, state);
        let reply = ready().await;
        assert_eq!(reply.outcome(), "200");
        assert_eq!((&reply.json()["modems_ready"], &reply.json()["queued"]), (&1.into(), &1.into()));
    }
    assert_eq!(gateway.call_as("", "GET /healthz", "", &[]).await.outcome(), "200");
    gateway.drain.send(true).unwrap();
    let reply = ready().await;
    assert_eq!(reply.outcome(), "503 not_ready");
    assert!(reply.text.contains("stopping"), "{}", reply.text);
}

#[tokio::test(start_paused = true)]
async fn one_that_drains_takes_nothing_new_but_goes_on_with_what_it_has() {
    let gateway = Gateway::start().await;
    let with_key =
        async |line: &str, body: &str| gateway.call_as(&gateway.admin, line, body, &[("Idempotency-Key", "k")]).await;
    let text = r#"{"to":"+14155550123","text":"sesame"}"#;
    let message = with_key("POST /v1/messages", text).await.json()["id"].as_str().unwrap().to_owned();
    let id = with_key("POST /v1/verifications", PLAIN).await.json()["id"].as_str().unwrap().to_owned();
    let resend = format!("POST /v1/verifications/{id}/resend");
    assert_eq!(with_key(&resend, "").await.json()["sends"], 2);
    let code = gateway.code().await;
    let other = gateway.verification(r#"{"to":"+14155550124"}"#).await;
    gateway.drain.send(true).unwrap();

    let made = [("POST /v1/verifications", PLAIN), ("POST /v1/messages", text), (resend.as_str(), "")];
    for (line, body) in made {
        let reply = gateway.call(line, body).await;
        assert_eq!(reply.outcome(), "503 stopping", "{line}: a 503 has its Retry-After");
        let again = with_key(line, body).await;
        assert!(again.status.is_success() && again.is_replay(), "{line}: it was done before");
    }
    let waits = format!("GET /v1/messages/{message}?wait=20&after=1000");
    let began = gateway.clock.now().mono;
    let check = format!(r#"{{"code":"{code}"}}"#);
    for (line, body) in [
        ("GET /v1/messages", ""),
        (&waits, ""),
        (&format!("POST /v1/verifications/{id}/check"), &check),
        (&format!("POST /v1/verifications/{other}/cancel"), ""),
        (&format!("POST /v1/messages/{message}/cancel"), ""),
        ("GET /healthz", ""),
    ] {
        assert_eq!(gateway.call(line, body).await.outcome(), "200", "{line}");
    }
    assert_eq!((gateway.clock.now().mono - began).as_secs(), 20, "a wait goes on as well");
    let approved = gateway.call(&format!("GET /v1/verifications/{id}"), "").await.json();
    assert_eq!(approved["status"], "approved");
}

#[tokio::test(start_paused = true)]
async fn modems_are_shown_as_the_board_has_them() {
    let gateway = Gateway::start().await;
    gateway.board.update(0, |m| {
        m.imei = Some(Imei::new("001017000000001"));
        m.sim_card = Some(SimCard::new("8999901000000000018"));
        m.port = "/dev/serial/by-path/x".to_owned();
        m.state = ModemState::Waiting;
        m.reason = Some("not registered".to_owned());
        m.signal_dbm = Some(-71);
    });
    let list = gateway.call("GET /v1/modems", "").await.json();
    let modem = &list["items"][0];
    assert_eq!(modem["imei"], "001017000000001");
    assert_eq!(modem["sim_card"], "8999901000000000018");
    assert_eq!((&modem["state"], &modem["ready"]), (&"waiting".into(), &false.into()));
    assert_eq!((&modem["reason"], &modem["signal_dbm"]), (&"not registered".into(), &(-71).into()));
    assert!(modem["learned"].is_null());
    assert!(list["next_cursor"].is_null());
}

#[tokio::test(start_paused = true)]
async fn what_was_learned_of_a_modem_is_shown() {
    let gateway = Gateway::start().await;
    gateway.board.update(0, |m| {
        let name = ModelName { manufacturer: "ACME".into(), model: "one".into(), revision: "1".into() };
        m.traits = Some(ModelTraits {
            prompt_delay: Some(Duration::from_micros(12_500)),
            report_form: Some([2, 1, 0, 1, 0]),
            send_time: Some(Duration::from_millis(2_100)),
            ..ModelTraits::new(name)
        });
        m.card_traits = Some(SimCardTraits { bearer: Some(1), ..SimCardTraits::new(SimCard::new("8901")) });
    });
    let list = gateway.call("GET /v1/modems", "").await.json();
    let learned = &list["items"][0]["learned"];
    assert_eq!((&learned["prompt_delay_ms"], &learned["send_time_ms"]), (&12.5.into(), &2100.into()));
    assert_eq!((&learned["report_form"], &learned["lists_hang"]), (&"2,1,0,1,0".into(), &false.into()));
    assert_eq!((&learned["validity_period"], &learned["bearer"]), (&"life_left".into(), &1.into()));
}

#[tokio::test(start_paused = true)]
async fn one_whose_disk_is_nearly_full_is_not_ready() {
    let gateway = Gateway::start().await;
    gateway.modem(0, ModemState::Ready);
    let log = Log::begin();
    for round in 1..=2 {
        gateway.disk.set_low_space(true);
        for _ in 0..3 {
            // With nobody asking, the store looks by itself.
            tokio::time::sleep(Duration::from_secs(31)).await;
            let reply = gateway.call_as("", "GET /readyz", "", &[]).await;
            assert_eq!(reply.outcome(), "503 not_ready");
            assert!(reply.text.contains("disk is full, or nearly"), "{}", reply.text);
        }
        assert_eq!(gateway.call("POST /v1/verifications", PLAIN).await.outcome(), "507 disk_full");
        assert_eq!(log.with("nothing new is taken in").len(), round, "one line when it begins");
        gateway.disk.set_low_space(false);
        assert_eq!(gateway.call("POST /v1/verifications", PLAIN).await.outcome(), "201");
        assert_eq!(gateway.call_as("", "GET /readyz", "", &[]).await.outcome(), "200");
        assert_eq!(log.with("has space again").len(), round, "one line when it ends");
    }
}
