//! Every `+CMS ERROR` and `+CME ERROR` number with its name (27.005 §3.2.5, 27.007 §9.2, 24.011 §8.2.5.4, 23.040
//! §9.2.3.22; vendors' numbers where sources name them). Only names: what to do about a number is decided elsewhere.

/// The name of a `+CMS ERROR` number.
pub fn cms_name(code: u16) -> Option<&'static str> {
    name(CMS, code)
}

/// The name of a `+CMS ERROR` number of a maker's own, where it is known that it is this maker's.
pub fn makers_cms_name(code: u16) -> Option<&'static str> {
    cms_name(code)?.strip_prefix("vendor-specific: ")?.split(", or ").next()
}

/// The name of a `+CME ERROR` number.
pub fn cme_name(code: u16) -> Option<&'static str> {
    name(CME, code)
}

/// The `+CMS ERROR` number that a modem spelled out (some do even after `AT+CMEE=1`).
pub fn cms_by_text(text: &str) -> Option<u16> {
    by_text(CMS, text)
}

/// The `+CME ERROR` number that a modem spelled out.
pub fn cme_by_text(text: &str) -> Option<u16> {
    by_text(CME, text)
}

fn name(table: &[(u16, &'static str)], code: u16) -> Option<&'static str> {
    table.binary_search_by_key(&code, |(number, _)| *number).ok().map(|i| table[i].1)
}

fn by_text(table: &[(u16, &'static str)], text: &str) -> Option<u16> {
    let wanted = plain(text);
    let same = |name: &str| plain(name) == wanted || plain(name) + "error" == wanted;
    (!wanted.is_empty()).then(|| table.iter().find(|(_, name)| same(name)))?.map(|(code, _)| *code)
}

/// Lower case, letters and digits only; a `(U)SIM` is a SIM.
fn plain(text: &str) -> String {
    let kept: String = text.chars().filter(char::is_ascii_alphanumeric).collect();
    kept.to_ascii_lowercase().replace("usim", "sim")
}

#[rustfmt::skip]
const CMS: &[(u16, &str)] = &[
    (1, "unassigned (unallocated) number"),
    (8, "operator determined barring"),
    (10, "call barred"),
    (11, "reserved"),
    (17, "network failure"),
    (21, "short message transfer rejected"),
    (22, "memory capacity exceeded"),
    (27, "destination out of order"),
    (28, "unidentified subscriber"),
    (29, "facility rejected"),
    (30, "unknown subscriber"),
    (38, "network out of order"),
    (41, "temporary failure"),
    (42, "congestion"),
    (47, "resources unavailable, unspecified"),
    (50, "requested facility not subscribed"),
    (69, "requested facility not implemented"),
    (81, "invalid short message transfer reference value"),
    (95, "semantically incorrect message"),
    (96, "invalid mandatory information"),
    (97, "message type non-existent or not implemented"),
    (98, "message not compatible with short message protocol state"),
    (99, "information element non-existent or not implemented"),
    (111, "protocol error, unspecified"),
    (127, "interworking, unspecified"),
    (128, "telematic interworking not supported"),
    (129, "short message Type 0 not supported"),
    (130, "cannot replace short message"),
    (143, "unspecified TP-PID error"),
    (144, "data coding scheme (alphabet) not supported"),
    (145, "message class not supported"),
    (159, "unspecified TP-DCS error"),
    (160, "command cannot be actioned"),
    (161, "command unsupported"),
    (175, "unspecified TP-Command error"),
    (176, "TPDU not supported"),
    (192, "SC busy"),
    (193, "no SC subscription"),
    (194, "SC system failure"),
    (195, "invalid SME address"),
    (196, "destination SME barred"),
    (197, "SM Rejected-Duplicate SM"),
    (198, "TP-VPF not supported"),
    (199, "TP-VP not supported"),
    (208, "SIM SMS storage full"),
    (209, "no SMS storage capability in SIM"),
    (210, "error in MS"),
    (211, "memory Capacity Exceeded"),
    (212, "SIM Application Toolkit busy"),
    (213, "SIM data download error"),
    (255, "unspecified error cause"),
    (300, "ME failure"),
    (301, "SMS service of ME reserved"),
    (302, "operation not allowed"),
    (303, "operation not supported"),
    (304, "invalid PDU mode parameter"),
    (305, "invalid text mode parameter"),
    (310, "SIM not inserted"),
    (311, "SIM PIN required"),
    (312, "pH-SIM PIN required"),
    (313, "SIM failure"),
    (314, "SIM busy"),
    (315, "SIM wrong"),
    (316, "SIM PUK required"),
    (317, "SIM PIN2 required"),
    (318, "SIM PUK2 required"),
    (320, "memory failure"),
    (321, "invalid memory index"),
    (322, "memory full"),
    (330, "SMSC address unknown"),
    (331, "no network service"),
    (332, "network timeout"),
    (340, "no +CNMA acknowledgement expected"),
    (500, "unknown error"),
    (512, "vendor-specific"),
    (513, "vendor-specific: unable to store, or lower layer failure"),
    (514, "vendor-specific: invalid status"),
    (515, "vendor-specific: invalid character in address, or busy"),
    (516, "vendor-specific: invalid length, or location too high"),
    (517, "vendor-specific: invalid character in PDU, or SIM not ready"),
    (519, "vendor-specific: invalid length or character"),
    (520, "vendor-specific: invalid character in text"),
    (521, "vendor-specific: timer expired"),
    (522, "vendor-specific: operation temporary not allowed"),
    (532, "vendor-specific: SIM not ready"),
    (534, "vendor-specific: cell broadcast error unknown"),
    (535, "vendor-specific: PS busy"),
    (538, "vendor-specific: invalid parameter"),
    (549, "vendor-specific: incorrect PDU length"),
    (550, "vendor-specific: invalid message type indication (MTI)"),
    (551, "vendor-specific: invalid (non-hex) chars in address"),
    (553, "vendor-specific: incorrect PDU length (UDL)"),
    (554, "vendor-specific: incorrect SCA length"),
    (615, "vendor-specific: network failure"),
    (616, "vendor-specific: network is down"),
    (640, "vendor-specific: operation of service temporary not allowed"),
    (767, "vendor-specific: operation failed"),
    (770, "vendor-specific: SIM invalid - network reject"),
    (772, "vendor-specific: SIM powered down"),
    (2051, "vendor-specific: illegal MS"),
];

#[rustfmt::skip]
const CME: &[(u16, &str)] = &[
    (0, "phone failure"),
    (1, "no connection"),
    (2, "link reserved"),
    (3, "not allowed"),
    (4, "not supported"),
    (5, "ph sim pin"),
    (6, "ph fsim pin"),
    (7, "ph fsim puk"),
    (10, "sim not inserted"),
    (11, "sim pin"),
    (12, "sim puk"),
    (13, "sim failure"),
    (14, "sim busy"),
    (15, "sim wrong"),
    (16, "incorrect password"),
    (17, "sim pin2"),
    (18, "sim puk2"),
    (20, "memory full"),
    (21, "invalid index"),
    (22, "not found"),
    (23, "memory failure"),
    (24, "text too long"),
    (25, "invalid chars"),
    (26, "dial string too long"),
    (27, "dial string invalid"),
    (30, "no network"),
    (31, "network timeout"),
    (32, "network not allowed"),
    (40, "network pin"),
    (41, "network puk"),
    (42, "network subset pin"),
    (43, "network subset puk"),
    (44, "service pin"),
    (45, "service puk"),
    (46, "corp pin"),
    (47, "corp puk"),
    (48, "hidden key required"),
    (49, "eap method not supported"),
    (50, "incorrect parameters"),
    (51, "command disabled"),
    (52, "command aborted"),
    (53, "not attached restricted"),
    (54, "not allowed emergency only"),
    (55, "not allowed restricted"),
    (56, "fixed dial number only"),
    (57, "temporarily out of service"),
    (58, "language or alphabet not supported"),
    (59, "unexpected data value"),
    (60, "system failure"),
    (61, "data missing"),
    (62, "call barred"),
    (63, "message waiting indication subscription failure"),
    (100, "unknown"),
    (102, "imsi unknown in hss"),
    (103, "illegal ue"),
    (104, "imsi unknown in vlr"),
    (105, "imei not accepted"),
    (106, "illegal me"),
    (107, "ps services not allowed"),
    (108, "ps and non ps services not allowed"),
    (109, "ue identity not derived from network"),
    (110, "implicitly detached"),
    (111, "plmn not allowed"),
    (112, "area not allowed"),
    (113, "roaming not allowed in area"),
    (114, "ps services not allowed in plmn"),
    (115, "no cells in area"),
    (116, "msc temporarily not reachable"),
    (117, "network failure attach"),
    (118, "cs domain unavailable"),
    (119, "esm failure"),
    (122, "congestion"),
    (124, "mbms bearer capabilities insufficient for service"),
    (125, "not authorized for csg"),
    (126, "insufficient resources"),
    (127, "missing or unknown apn"),
    (128, "unknown pdp address or type"),
    (129, "user authentication failed"),
    (130, "activation rejected by ggsn or gw"),
    (131, "activation rejected unspecified"),
    (132, "service option not supported"),
    (133, "service option not subscribed"),
    (134, "service option out of order"),
    (135, "nsapi or pti already in use"),
    (136, "regular deactivation"),
    (137, "qos not accepted"),
    (138, "call cannot be identified"),
    (139, "cs service temporarily unavailable"),
    (140, "feature not supported"),
    (141, "semantic error in tft operation"),
    (142, "syntactical error in tft operation"),
    (143, "unknown pdp context"),
    (144, "semantic errors in packet filter"),
    (145, "syntactical error in packet filter"),
    (146, "pdp context without tft already activated"),
    (147, "multicast group membership timeout"),
    (148, "gprs unknown"),
    (149, "pdp auth failure"),
    (150, "invalid mobile class"),
    (151, "last pdn disconnection not allowed legacy"),
    (171, "last pdn disconnection not allowed"),
    (172, "semantically incorrect message"),
    (173, "invalid mandatory information"),
    (174, "message type not implemented"),
    (175, "conditional ie error"),
    (176, "unspecified protocol error"),
    (177, "operator determined barring"),
    (178, "maximum number of bearers reached"),
    (179, "requested apn not supported"),
    (180, "request rejected bcm violation"),
    (181, "unsupported qci or 5qi value"),
    (182, "user data via control plane congested"),
    (183, "sms provided via gprs in routing area"),
    (184, "invalid pti value"),
    (185, "no bearer activated"),
    (186, "message not compatible with protocol state"),
    (187, "recovery on timer expiry"),
    (188, "invalid transaction id value"),
    (189, "service option not authorized in plmn"),
    (190, "network failure activation"),
    (191, "reactivation requested"),
    (192, "ipv4 only allowed"),
    (193, "ipv6 only allowed"),
    (194, "single address bearers only allowed"),
    (195, "collision with network initiated request"),
    (196, "ipv4v6 only allowed"),
    (197, "non ip only allowed"),
    (198, "bearer handling unsupported"),
    (199, "apn restriction incompatible"),
    (200, "multiple access to pdn connection not allowed"),
    (201, "esm information not received"),
    (202, "pdn connection nonexistent"),
    (203, "multiple pdn connection same apn not allowed"),
    (204, "severe network failure"),
    (205, "insufficient resources for slice and dnn"),
    (206, "unsupported ssc mode"),
    (207, "insufficient resources for slice"),
    (208, "message type not compatible with protocol state"),
    (209, "ie not implemented"),
    (210, "n1 mode not allowed"),
    (211, "restricted service area"),
    (212, "ladn unavailable"),
    (213, "missing or unknown dnn in slice"),
    (214, "ngksi already in use"),
    (215, "payload not forwarded"),
    (216, "non 3gpp access to 5gcn not allowed"),
    (217, "serving network not authorized"),
    (218, "dnn not supported in slice"),
    (219, "insufficient user plane resources for pdu session"),
    (220, "out of ladn service area"),
    (221, "pti mismatch"),
    (222, "max data rate for user plane integrity too low"),
    (223, "semantic error in qos operation"),
    (224, "syntactical error in qos operation"),
    (225, "invalid mapped eps bearer identity"),
    (226, "redirection to 5gcn required"),
    (227, "redirection to epc required"),
    (228, "temporarily unauthorized for snpn"),
    (229, "permanently unauthorized for snpn"),
    (230, "ethernet only allowed"),
    (231, "unauthorized for cag"),
    (232, "no network slices available"),
    (233, "wireline access area not allowed"),
    (256, "vendor-specific: operation temporarily not allowed"),
    (513, "vendor-specific: initialisation not finished"),
    (515, "vendor-specific: please wait, initialisation or command in progress"),
    (601, "vendor-specific: not supported"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_sorted_and_without_twins() {
        for table in [CMS, CME] {
            assert!(table.windows(2).all(|pair| pair[0].0 < pair[1].0));
        }
    }

    #[test]
    fn a_spelled_out_error_is_its_number() {
        assert_eq!(cms_by_text("Unknown error"), Some(500));
        assert_eq!(cms_by_text("SMSC ADDRESS UNKNOWN"), Some(330));
        assert_eq!(cms_by_text("(U)SIM PIN required"), Some(311));
        assert_eq!(cme_by_text("SIM busy"), Some(14));
        assert_eq!(cme_by_text("unknown error"), Some(100));
        assert_eq!(cme_by_text(""), None);
    }

    #[test]
    fn names() {
        assert_eq!(cms_name(331), Some("no network service"));
        assert_eq!(cms_name(516), Some("vendor-specific: invalid length, or location too high"));
        assert_eq!((makers_cms_name(516), makers_cms_name(535)), (Some("invalid length"), Some("PS busy")));
        assert_eq!((makers_cms_name(512), makers_cms_name(21)), (None, None));
        assert_eq!(cme_name(16), Some("incorrect password"));
        assert_eq!(cms_name(9999), None);
    }
}
