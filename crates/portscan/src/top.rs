//! The ports that are tried first: `top:N`, and names for ports that the system's services file does not list.

/// Ports and the service usually found there, the likeliest to be open first.
///
/// Source: our own ranking, by judgement and not by measurement. The names are those of the registrations at IANA, or of
/// the software whose documented default the port is. The groups, in their order: what faces the public (web, mail, names,
/// remote access), what a network of desktops has, data stores and brokers, what administrators and developers run, and
/// older services; within a group, the commoner software first.
#[rustfmt::skip] // a table reads best in columns
pub(crate) const TOP: &[(u16, &str)] = &[
    // The public face.
    (80, "http"), (443, "https"), (22, "ssh"), (21, "ftp"), (25, "smtp"), (53, "domain"), (3389, "ms-wbt-server"),
    (8080, "http-alt"), (8443, "https-alt"), (23, "telnet"), (110, "pop3"), (143, "imap"), (993, "imaps"),
    (995, "pop3s"), (587, "submission"), (465, "submissions"), (1723, "pptp"), (5900, "rfb"), (8000, "http-alt"),
    (8888, "http-alt"),
    // Desktops and files.
    (445, "microsoft-ds"), (139, "netbios-ssn"), (135, "epmap"), (111, "sunrpc"), (2049, "nfs"), (548, "afpovertcp"),
    (631, "ipp"), (515, "printer"), (9100, "jetdirect"), (873, "rsync"), (389, "ldap"), (636, "ldaps"),
    (88, "kerberos"), (464, "kpasswd"), (3268, "msft-gc"), (3269, "msft-gc-ssl"), (593, "http-rpc-epmap"),
    (5985, "wsman"), (5986, "wsmans"), (5357, "wsdapi"), (7680, "pando-pub"), (49152, "dynamic"), (49153, "dynamic"),
    (49154, "dynamic"), (49155, "dynamic"), (49156, "dynamic"), (49157, "dynamic"), (554, "rtsp"), (8554, "rtsp-alt"),
    (1900, "ssdp"), (5000, "commplex-main"), (62078, "iphone-sync"), (3283, "net-assistant"), (5901, "rfb-1"),
    (5902, "rfb-2"), (5800, "vnc-http"), (6000, "x11"), (6001, "x11-1"), (32400, "plex"), (8009, "ajp13"),
    // Data stores and brokers.
    (3306, "mysql"), (5432, "postgresql"), (6379, "redis"), (27017, "mongodb"), (1433, "ms-sql-s"), (1521, "oracle"),
    (9200, "elasticsearch"), (9300, "elasticsearch-node"), (11211, "memcached"), (5984, "couchdb"),
    (9042, "cassandra"), (7000, "cassandra-node"), (50000, "db2"), (3050, "gds-db"), (8086, "influxdb"),
    (8123, "clickhouse-http"), (9000, "cslistener"), (26257, "cockroachdb"), (28015, "rethinkdb"), (7474, "neo4j"),
    (7687, "bolt"), (8529, "arangodb"), (16379, "redis-cluster-bus"), (26379, "redis-sentinel"), (6380, "redis-tls"),
    (33060, "mysqlx"), (27018, "mongodb-shard"), (27019, "mongodb-config"), (5672, "amqp"), (5671, "amqps"),
    (15672, "rabbitmq-mgmt"), (25672, "rabbitmq-node"), (4369, "epmd"), (9092, "kafka"), (2181, "zookeeper"),
    (1883, "mqtt"), (8883, "secure-mqtt"), (61616, "activemq"), (8161, "activemq-web"), (61613, "stomp"),
    (4222, "nats"), (8222, "nats-http"), (6650, "pulsar"), (1434, "ms-sql-m"), (8983, "solr"), (7700, "meilisearch"),
    (6333, "qdrant"), (19530, "milvus"), (4150, "nsqd"), (11300, "beanstalkd"), (5433, "postgresql-alt"),
    (6432, "pgbouncer"), (3307, "mysql-alt"),
    // Administration and development.
    (8081, "http-alt"), (8082, "http-alt"), (8008, "http-alt"), (3000, "http-dev"), (3001, "http-dev"),
    (4000, "http-dev"), (4200, "http-dev"), (5173, "http-dev"), (8001, "http-alt"), (8083, "http-alt"),
    (8084, "http-alt"), (8085, "http-alt"), (8088, "http-alt"), (8089, "http-alt"), (8090, "http-alt"),
    (8091, "http-alt"), (8181, "http-alt"), (8444, "https-alt"), (9443, "https-alt"), (10443, "https-alt"),
    (4443, "https-alt"), (7443, "https-alt"), (81, "http-alt"), (82, "http-alt"), (88, "kerberos"), (591, "http-alt"),
    (2375, "docker"), (2376, "docker-s"), (2377, "swarm"), (6443, "kubernetes-api"), (10250, "kubelet"),
    (10255, "kubelet-readonly"), (10256, "kube-proxy"), (2379, "etcd-client"), (2380, "etcd-server"), (8500, "consul"),
    (8300, "consul-rpc"), (8301, "consul-serf"), (8600, "consul-dns"), (8200, "vault"), (4646, "nomad"),
    (9090, "prometheus"), (9091, "pushgateway"), (9093, "alertmanager"), (9100, "jetdirect"), (3100, "loki"),
    (4317, "otlp-grpc"), (4318, "otlp-http"), (14268, "jaeger"), (16686, "jaeger-ui"), (9411, "zipkin"),
    (5601, "kibana"), (5044, "logstash"), (24224, "fluentd"), (12201, "gelf"), (2003, "graphite"), (8125, "statsd"),
    (10000, "webmin"), (8006, "proxmox"), (2082, "cpanel"), (2083, "cpanel-s"), (2086, "whm"), (2087, "whm-s"),
    (2222, "ssh-alt"), (2200, "ssh-alt"), (22222, "ssh-alt"), (830, "netconf-ssh"), (161, "snmp"), (199, "smux"),
    (623, "asf-rmcp"), (902, "vmware-auth"), (903, "vmware-console"), (5480, "vmware-vami"), (16992, "amt-http"),
    (16993, "amt-https"), (17988, "ilo-vm"), (5555, "adb"), (5037, "adb-server"), (9229, "node-inspect"),
    (5005, "jdwp"), (1099, "rmiregistry"), (1098, "rmiactivation"), (8686, "jmx"), (9010, "jmx"), (4848, "glassfish"),
    (7001, "weblogic"), (7002, "weblogic-s"), (9060, "websphere"), (9043, "websphere-s"), (8880, "http-alt"),
    (9990, "wildfly-mgmt"), (50070, "hdfs-namenode"), (9870, "hdfs-namenode"), (8020, "hdfs"), (8032, "yarn"),
    (7077, "spark"), (4040, "spark-ui"), (8787, "rstudio"), (8889, "jupyter-alt"), (6006, "tensorboard"),
    (11434, "ollama"), (3128, "squid-http"), (1080, "socks"), (8118, "privoxy"), (9050, "tor-socks"),
    (9051, "tor-control"), (9001, "tor-orport"), (9418, "git"), (3690, "svn"), (2401, "cvspserver"),
    (8140, "puppet"), (4505, "salt-publish"), (4506, "salt-request"), (5938, "teamviewer"), (5060, "sip"),
    (5061, "sips"), (1720, "h323hostcall"), (2000, "cisco-sccp"), (3478, "stun"), (5349, "stuns"), (5222, "xmpp-client"),
    (5269, "xmpp-server"), (6667, "ircu"), (6697, "ircs-u"), (6660, "ircu"), (64738, "mumble"), (25565, "minecraft"),
    (27015, "steam"), (6881, "bittorrent"), (9091, "transmission"), (51413, "transmission-peer"), (8333, "bitcoin"),
    (30303, "ethereum"), (8545, "ethereum-rpc"), (502, "modbus"), (102, "iso-tsap"), (20000, "dnp"),
    (44818, "ethernet-ip"), (1911, "niagara-fox"), (47808, "bacnet"), (4840, "opcua-tcp"), (789, "redlion"),
    (8291, "winbox"), (8728, "mikrotik-api"), (7547, "cwmp"), (4786, "smart-install"), (179, "bgp"), (853, "domain-s"),
    (500, "isakmp"), (1194, "openvpn"), (1701, "l2tp"), (4433, "https-dev"), (8834, "nessus"), (9392, "openvas"),
    // Older services.
    (7, "echo"), (9, "discard"), (13, "daytime"), (17, "qotd"), (19, "chargen"), (26, "smtp-alt"), (37, "time"),
    (42, "nameserver"), (43, "whois"), (49, "tacacs"), (70, "gopher"), (79, "finger"), (106, "pop3pw"), (109, "pop2"),
    (113, "ident"), (119, "nntp"), (144, "news"), (177, "xdmcp"), (194, "irc"), (211, "914c-g"), (220, "imap3"),
    (264, "bgmp"), (366, "odmr"), (406, "imsp"), (407, "timbuktu"), (416, "silverplatter"), (427, "svrloc"),
    (443, "https"), (444, "snpp"), (512, "exec"), (513, "login"), (514, "shell"), (540, "uucp"), (543, "klogin"),
    (544, "kshell"), (563, "nntps"), (666, "doom"), (749, "kerberos-adm"), (990, "ftps"), (992, "telnets"),
    (989, "ftps-data"), (20, "ftp-data"), (2121, "ftp-alt"), (2525, "smtp-alt"), (4190, "sieve"), (1025, "dynamic"),
    (1026, "dynamic"), (1027, "dynamic"), (1028, "dynamic"), (1029, "dynamic"),
];

/// The first `n` different ports of the table.
pub(crate) fn top(n: usize) -> Result<Vec<u16>, usize> {
    let mut ports: Vec<u16> = Vec::with_capacity(n.min(TOP.len()));
    for &(port, _) in TOP {
        if ports.len() == n {
            return Ok(ports);
        }
        if !ports.contains(&port) {
            ports.push(port);
        }
    }
    if ports.len() == n {
        Ok(ports)
    } else {
        Err(ports.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_gives_different_ports_and_says_how_many_it_has() {
        let most = top(usize::MAX).unwrap_err();
        assert!(most >= 250, "{most}");
        let all = top(most).unwrap();
        let mut sorted = all.clone();
        sorted.sort_unstable();
        sorted.dedup();
        assert_eq!(sorted.len(), most);
        assert_eq!(top(3).unwrap(), [80, 443, 22]);
    }
}
