//! The audit log: what is in it, that its chain holds, and where it begins.

use super::*;
use otpgate::domain::audit::{AuditEntry, AuditKind};
use otpgate::domain::id::KeyId;
use otpgate::store::record::Key;
use otpgate::store::{Actor, AuditQuery, Permission};

on_both_stores! {
    what_is_sent_is_on_it_with_who_sent_it
    what_fails_is_not_on_it
    lines_are_found_by_kind_number_and_time
    the_chain_holds_over_crashes_and_a_new_master_key
    a_line_that_is_missing_is_told
    what_is_too_old_goes_and_the_chain_goes_on
}

const ALL: AuditQuery = AuditQuery { kind: None, number: None, since: None, until: None, before: None, limit: 200 };

fn caller() -> Actor {
    Actor {
        key: Some(KeyId(7)),
        client: Some(ME.client),
        address: [192, 0, 2, 1].into(),
        lifted: vec![Permission::ShortCodes],
    }
}

async fn lines(w: &World, query: AuditQuery) -> Vec<AuditEntry> {
    w.store().audits(query).await.unwrap().items
}

fn kinds(lines: &[AuditEntry]) -> Vec<&'static str> {
    lines.iter().map(|line| line.kind.as_str()).collect()
}

async fn what_is_sent_is_on_it_with_who_sent_it(w: World) {
    w.accept(w.plain()).await;
    let new = w.code();
    let id = new.id.to_string();
    w.store().acting(caller()).create_verification(new, None).await.unwrap();
    let lines = lines(&w, ALL).await;
    assert_eq!(kinds(&lines), ["code.sent", "limit.lifted", "text.sent"]);
    let [code, lifted, text] = &lines[..] else { panic!() };
    assert_eq!((code.sequence, lifted.sequence, text.sequence), (3, 2, 1));
    assert_eq!((code.key, code.address, code.client), (Some(KeyId(7)), Some([192, 0, 2, 1].into()), Some(ME.client)));
    assert_eq!((code.about.as_ref(), code.detail.as_ref()), (Some(&id), None));
    assert_eq!(lifted.detail.as_deref(), Some("short_codes"));
    assert_eq!((text.key, text.address, text.client), (None, None, Some(ME.client)), "nobody said who");
    assert_eq!(code.at, w.now().wall);
}

async fn what_fails_is_not_on_it(w: World) {
    w.store().opt_out(anna()).await.unwrap();
    assert!(w.store().accept(NewMessage { to: anna(), ..w.plain() }, None).await.is_err());
    assert!(w.store().opt_in(bob()).await.is_err());
    assert_eq!(kinds(&lines(&w, ALL).await), ["opt_out.added"]);
}

async fn lines_are_found_by_kind_number_and_time(w: World) {
    for to in [anna(), bob(), anna()] {
        w.accept(NewMessage { to, ..w.plain() }).await;
        pass(MINUTE).await;
    }
    w.store().audit(AuditKind::LogInFailed, None).await.unwrap();
    let places = async |w: &World, query| lines(w, query).await.iter().map(|l| l.sequence).collect::<Vec<_>>();
    assert_eq!(places(&w, AuditQuery { number: Some(anna()), ..ALL }).await, [3, 1]);
    assert_eq!(places(&w, AuditQuery { kind: Some(AuditKind::LogInFailed), ..ALL }).await, [4]);
    let since = Some(BEGIN + MINUTE);
    assert_eq!(places(&w, AuditQuery { since, ..ALL }).await, [4, 3, 2]);
    assert_eq!(places(&w, AuditQuery { until: since, ..ALL }).await, [1]);
    let page = w.store().audits(AuditQuery { limit: 3, ..ALL }).await.unwrap();
    assert_eq!(places(&w, AuditQuery { before: page.next, ..ALL }).await, [1]);
    w.store().rotate_master().await.unwrap();
    let again = places(&w, AuditQuery { number: Some(anna()), ..ALL }).await;
    assert_eq!(again, [3, 1], "a number's hash is the same under every master key");
}

async fn the_chain_holds_over_crashes_and_a_new_master_key(mut w: World) {
    let nothing = w.store().walk_audits(1).await.unwrap();
    assert_eq!((nothing.first, nothing.last, nothing.broken), (1, 0, None));
    for n in 0..4 {
        w.accept(w.plain()).await;
        match n {
            1 => w.crash().await,
            2 => drop(w.store().rotate_master().await.unwrap()),
            _ => {}
        }
    }
    let walk = w.store().walk_audits(1).await.unwrap();
    assert_eq!((walk.first, walk.last, walk.checked, walk.next, walk.broken), (1, 5, 5, None, None));
    let walk = w.store().walk_audits(3).await.unwrap();
    assert_eq!((walk.checked, walk.broken), (3, None), "from the middle on");
}

async fn a_line_that_is_missing_is_told(mut w: World) {
    for _ in 0..3 {
        w.accept(w.plain()).await;
    }
    w.stop().await;
    w.damage(Key::Audit(2));
    w.start();
    let walk = w.store().walk_audits(1).await.unwrap();
    assert_eq!(walk.broken, Some((2, "it is missing")));
    assert_eq!(w.store().walk_audits(3).await.unwrap().broken, Some((2, "it is missing")));
    w.accept(w.plain()).await;
    assert_eq!(kinds(&lines(&w, ALL).await), ["text.sent"; 3], "the others are there, and it goes on");
}

async fn what_is_too_old_goes_and_the_chain_goes_on(mut w: World) {
    w.keep_audits = 2 * HOUR;
    w.restart().await;
    for _ in 0..20 {
        w.accept(w.plain()).await;
    }
    pass(2 * HOUR).await;
    w.accept(w.plain()).await;
    assert_eq!(lines(&w, ALL).await.len(), 21, "as old as they may get");
    pass(MINUTE).await;
    for _ in 0..3 {
        w.accept(w.plain()).await;
    }
    let kept = lines(&w, ALL).await;
    assert!(kept.len() < 21 && kept.last().unwrap().sequence > 1, "{}", kept.len());
    w.crash().await;
    let walk = w.store().walk_audits(1).await.unwrap();
    assert_eq!((walk.first, walk.last, walk.broken), (21, 24, None), "the chain begins where it is kept");
    assert!(!w.has(Key::Audit(20)).await && w.has(Key::Audit(21)).await);
}
