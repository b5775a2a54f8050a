"""What PostgreSQL says at a login in other languages (``lc_messages``), as rows of symptoms.

A server translates its FATAL messages; their SQLSTATE it does not translate, nor ``pg_hba.conf``,
the names in quotes, and the word SSL. The fragments here are from PostgreSQL's own message
catalogues of versions 11 to 18 in German, Spanish, French, Italian, Japanese, Korean, Polish,
Portuguese, Russian, Swedish, Turkish, Ukrainian and Chinese. A dot stands for a letter that a wrong
encoding would spoil.

Read only when no English words are found, or letters beyond ASCII are.
"""

from certifier.diagnosis.symptoms import TLS_OR_NOT, Symptom
from certifier.vocabulary import Cause, Stage

# one sentence, not the next attempt's; what is around pg_hba.conf stands before or after it
_NEAR = r"(?:(?!FATAL|ВАЖНО|connection to server|additional info:).){0,300}?"
_HBA = r"p(?:g|ool)_hba\.conf"

_OFF = (
    r"off|aus\b|inacti|выкл|отключ|вимк|disattiv|desabilit|desativ|desligad|wyłączon|kapalı"
    r"|关闭|關閉|중지|무효|꺼짐|無効|オフ|av\b|vypnuto"
)
_ON = (
    r"on\b|an\b|acti[fv]|вкл|увімк|attiv|habilit|ativ|ligad|włączon|açık"
    r"|开启|開啟|동작|사용|有効|オン|på\b|zapnuto"
)
_ENCRYPTION = r"encryption|Verschl.{1,2}sselung|kryptering|şifreleme|šifrování|暗号化|암호화|加密"
_ENCRYPTION_BY = (
    r"cifrado|chiffrement|crittografia|шифр[оу]ван\w*|criptografia|encriptação|cifra|szyfrowanie"
)
_WITHOUT_TLS = (
    r"(?:no encryption|keine Verschl.{1,2}sselung|sin cifra|aucun chiffrement"
    r"|nessuna crittografia|без шифр[оу]ван|დაშიფვრის გარეშე|ingen kryptering|bez šifrování"
    r"|(?:brak|bez) szyfrowania"
    r"|(?:sem|nenhuma) (?:criptografia|encripta|cifra)|şifreleme (?:yok|olmadan)"
    r"|暗号化(?:な|無)し|未加密|(?:没有|沒有|无|無)加密|암호화 ?(?:안|없)"
    rf"|SSL ?(?:{_OFF}))"
)
_WITH_TLS = (
    rf"(?:(?:SSL|GSS)[- ]?(?:{_ENCRYPTION})"
    rf"|(?:{_ENCRYPTION_BY}) (?:por |con |em |de )?(?:SSL|GSS)"
    rf"|SSL ?(?:{_ON}))"
)


def _around(what: str) -> str:
    return rf"(?:{_HBA}{_NEAR}{what}|{what}{_NEAR}{_HBA})"


def _row(cause: Cause, stage: Stage, seen: str, *words: str) -> Symptom:
    return Symptom(cause, stage, "|".join(words), seen)


FOREIGN: tuple[Symptom, ...] = (
    _row(
        Cause.HBA_REJECTED,
        Stage.STARTUP,
        "pg_hba.conf lets this connection, which has TLS, not in",
        _around(_WITH_TLS),
    ),
    _row(
        Cause.HBA_REJECTED_PLAINTEXT,
        Stage.STARTUP,
        "pg_hba.conf lets this connection, which has no TLS, not in",
        _around(_WITHOUT_TLS),
    ),
    Symptom(
        Cause.HBA_REJECTED,
        Stage.STARTUP,
        rf'{_HBA}{_NEAR}"[^"]|"[^"]{{0,60}}{_HBA}',
        "pg_hba.conf does not let this connection in",
        either=TLS_OR_NOT,
    ),
    _row(
        Cause.ROLE_NEEDS_IAM,
        Stage.LOGIN,
        'the server asks PAM about[ "{name}"] instead of comparing a password',
        r"PAM[- ](?:Authentifizierung|autentisering).{0,30}?(?:<>|$)",
        r"(?:autentificaci.n|authentification|autenticazione|autentica..o|автентифікацію"
        r"|uwierzytelni\w+) PAM\b.{0,40}?(?:<>|$)",
        r"(?:<>.{0,40}?)?(?:PAM ?認証|PAM ?인증|认证 ?PAM|PAM ?认证|\(PAM\)|PAM doğrulama)",
    ),
    _row(
        Cause.AUTHENTICATION_UNSUPPORTED,
        Stage.LOGIN,
        'pg_hba.conf asks[ "{name}"] for a method that no password answers',
        r"(?:Ident|Peer|GSSAPI|SSPI)-(?:Authentifizierung|autentisering).{0,30}?(?:<>|$)",
        r"(?:autentificaci.n|authentification|autenticazione|autentica..o|автентифікацію)"
        r" (?:Ident|Peer|GSSAPI|SSPI)\b.{0,40}?(?:<>|$)",
        r"<>.{0,40}?(?:(?:Ident|Peer|GSSAPI) ?(?:認証|인증|认证)|\((?:Ident|Peer|GSSAPI)\)"
        r"|的?对等认证)",
    ),
    _row(
        Cause.CLIENT_CERTIFICATE_REQUIRED,
        Stage.STARTUP,
        "pg_hba.conf wants a client certificate",
        r"g.{1,2}ltiges Client-Zertifikat",
        r"certificado de cliente v.{1,2}lido|certificado (?:de )?cliente v.{1,2}lido",
        r"certificat client valide",
        r"certificato valido per il client",
        r"有効なクライアント証明|有效的客户端(?:认证|证书)|유효한 클라이언트 인증서",
        r"годный сертификат клиента|припустимий сертифікат клієнта|giltigt klientcertifikat",
        r"Zertifikatauthentifizierung|autentificaci.n por certificado|authentification par le"
        r" certificat|autenticazione con certificato|\(по сертификату\)|за сертифікатом"
        r"|인증서 인증|証明書認証|certifikat-autentisering",
    ),
    _row(
        Cause.PASSWORD_REJECTED,
        Stage.LOGIN,
        'the server does not accept the password[ of "{name}"]',
        r"Passwor[td]-?Authentifizierung.{0,30}?(?:<>|$)",
        r"autentifica\w{0,4}.{0,2}n (?:de |por )?(?:password|contrase.{1,2}a|\"?password\"?)"
        r"(?: fall.)?.{0,30}?(?:<>|$)",
        r"authentification par mot de passe.{0,60}?(?:<>|$)",
        r"autenticazione con password fallita.{0,30}?(?:<>|$)",
        r"autentica\S{1,4} (?:do tipo|por|de|com) senha(?: falhou)?.{0,40}?(?:<>|$)",
        r"(?:<>)?.{0,4}パスワード認証に失敗",
        r"<>.{0,60}?(?:\(по паролю\)|за допомогою пароля)",
        r"(?:<>.{0,8})?(?:password|비밀번호|암호) ?인증을? ?실패",
        r"(?:<>.{0,8})?(?:password|密码|口令|密碼) ?(?:认证|认 证|驗證|認證|验证) ?(?:失败|失敗)",
        r"(?:hasłem|hasła) (?:użytkownika )?nie powiodł.{0,30}?(?:<>|$)",
        r"(?:<>.{0,30})?(?:şifre|parola) (?:doğrulama|yetkilendirme)",
        r"l.{1,2}senordsautentisering.{0,40}?(?:<>|$)",
        r"heslem.{0,30}?(?:<>.{0,10}?)?selhala|(?:不正な|誤った)パスワード",
    ),
    _row(
        Cause.ROLE_MISSING,
        Stage.LOGIN,
        'there is no role[ "{name}"]',
        r"Rolle <> existiert nicht",
        r"no existe el (?:rol|usuario) <>|el rol <> no existe",
        r"le r.{1,2}le <> n.?existe pas",
        r"il ruolo <> non esiste",
        r"(?:ロール|ユーザー?) ?<> ?は存在しません",
        r"роль <> не (?:существует|існує)|ролі <> не існує",
        r"<> ?(?:롤|role|사용자)\S* ?(?:없음|없습니다)|롤 ?<> ?없음",
        r"(?:角色|用户|用戶) ?<> ?不存在",
        r"(?:role|papel|usu.rio) <> n.{1,2}o existe",
        r"rola <> nie istnieje|rollen <> (?:finns|existerar) inte|<> rol\w* (?:mevcut değil|yok)"
        r"|rol\w* <> (?:mevcut değil|yok)|role <> neexistuje",
    ),
    _row(
        Cause.DATABASE_MISSING,
        Stage.LOGIN,
        'there is no database[ "{name}"]',
        r"Datenbank <> existiert nicht",
        r"no existe la base de datos <>|la base de datos <> no existe",
        r"base de donn.{1,2}es <> n.?existe pas",
        r"il database <> non esiste",
        r"データベース ?<> ?は存在しません",
        r"база данных <> не существует|баз[иа] даних <> не існує",
        r"<> ?데이터베이스 ?(?:가|이)? ?없|데이터베이스 ?<> ?없",
        r"(?:数据库|資料庫) ?<> ?不存在",
        r"banco de dados <> n.{1,2}o existe",
        r"baza danych <> nie istnieje|databasen <> (?:existerar|finns) inte"
        r"|<> veritaban\S* (?:mevcut değil|yok)|veritaban\S* <> (?:mevcut değil|yok)"
        r"|datab.ze <> neexistuje",
    ),
    _row(
        Cause.PERMISSION_DENIED,
        Stage.LOGIN,
        "the role may not connect to this database, or has no LOGIN",
        r"Rolle <> hat keine Berechtigung|keine Berechtigung f.{1,2}r Datenbank <>",
        r"al rol <> no se le permite|permiso denegado a la base de datos <>",
        r"r.{1,2}le <> n.?est pas autoris|(?:droit|permission) refus.{1,2}e? pour la base",
        r"al ruolo <> non .{1,2} consentito|permesso negato per il database <>",
        r"ロール ?<> ?はログインが許可|データベース ?<> ?へのアクセスが拒否",
        r"для роли <> вход запрещ|доступ к базе(?: данных)? <> запрещ|для ролі <> вхід не"
        r"|доступ до бази даних <> відхилен",
        r"<> 롤은 접속을 허용|<> 데이터베이스 액세스 권한",
        r"不允许角色 ?<>|访问数据库 ?<> ?的权限不够|对数据库 ?<> ?(?:权限不够|的权限)",
        r"n.{1,2}o .{1,2} permitido .{0,40}role <>|permiss.{1,2}o negada para banco de dados",
        r"<> nie (?:ma|zezwolono).{0,20}logowa|odmowa dost.pu do bazy|roll <> till.ts inte logga"
        r"|r.ttighet saknas f.{1,2}r databas",
    ),
    _row(
        Cause.TOO_MANY_CONNECTIONS,
        Stage.LOGIN,
        "every connection slot is taken",
        r"(?:schon )?zu viele Verbindungen|verbleibende[nr]? Verbindungen sind f.{1,2}r",
        r"demasiad[oa]s (?:clientes|conexiones)|conexiones restantes est.{1,2}n reservadas",
        r"trop de (?:clients|connexions)|connexions? restants? sont r.{1,2}serv",
        r"troppi client|troppe connessioni|slot di connessione sono riservati",
        r"クライアント数が多すぎ|接続が多すぎ|残りの接続スロット",
        r"слишком много (?:клиентов|подключений)|оставшиеся слоты подключений"
        r"|за(?:надто )?багато (?:клієнтів|підключень)|слоти підключень",
        r"접속(?:자)? ?수를 초과|남은 연결 슬롯",
        r"太多的?客[户戶]|连接太多|連線過多|已保留的连接|(?:剩余|剩下)的?连接",
        r"(?:muitos|muitas) (?:clientes|conex.{1,2}es)|conex.{1,2}es (?:dispon.veis )?restantes",
        r"zbyt wiele? (?:klient|po..cze)|za du.o klient|f.{1,2}r m.nga (?:klienter|uppkopplingar"
        r"|anslutningar)|anslutningsslottar|(?:çok fazla|fazla say.da) (?:istemci|ba.lant)",
    ),
    _row(
        Cause.SERVER_STARTING,
        Stage.STARTUP,
        "the server takes no sessions: it is starting or recovering",
        r"Datenbanksystem (?:startet|ist im Wiederherstellungsmodus|nimmt (?:noch )?keine"
        r" Verbindungen)",
        r"sistema de bases? de datos (?:est.{1,2} (?:inici|en modo de recuperaci)|(?:a.{1,2}n )?no"
        r" est.{1,2} aceptando)",
        r"syst.{1,2}me de bases? de donn.{1,2}es (?:se lance|d.{1,2}marre|est en cours de"
        r" restauration|n.?accepte pas)",
        r"database si sta avviando|database .{1,2} in modalit.{1,2} di ripristino"
        r"|sistema di database non accetta",
        r"データベースシステムは(?:起動|まだ接続|接続を受け付け|リカバリ)",
        r"система (?:баз данных|БД) (?:запускается|в режиме восстановления|(?:ещ. )?не принимает)"
        r"|система баз. даних (?:запускається|у режимі відновлення|(?:ще )?не приймає)",
        r"데이터베이스 시스템[이은] (?:새로 가동|자동 복구|아직 접속|접속을 허용하지|시작)",
        r"数据库系统(?:启动中|正在启动|在恢复模式|尚未接受|还没有接受|不接受)|資料庫系統(?:正在啟動|啟動中)",
        r"sistema de banco de dados est.{1,2} (?:iniciando|em modo de recupera|inicializando)"
        r"|sistema de banco de dados (?:ainda )?n.{1,2}o (?:est.{1,2} )?aceita",
        r"system bazy danych (?:uruchamia|jest uruchamiany|startuje|jest w trybie)"
        r"|veritaban. sistemi (?:ba.lat.l|kurtarma|aç.l)|databassystemet (?:startar|.{1,4}r"
        r" .terst|tar (?:.nnu )?inte)",
    ),
    _row(
        Cause.SERVER_SHUTTING_DOWN,
        Stage.STARTUP,
        "the server is being stopped",
        r"Datenbanksystem f.{1,2}hrt herunter|aufgrund von Anweisung des Administrators",
        r"base de datos est.{1,2} (?:apag|deten)|debido a una orden del administrador",
        r"base de donn.{1,2}es s.?arr.{1,2}te|demande de l.?administrateur",
        r"database si sta spegnendo|comando dell.?amministratore",
        r"データベースシステムはシャットダウン|管理者コマンドにより",
        r"система баз данных останавливается|команд[еі] администратора"
        r"|команд[еі] адміністратора|даних завершує роботу",
        r"데이터베이스 시스템이 중지|관리자 요청에 의해",
        r"数据库系统(?:停止中|正在关闭|关闭中)|(?:由于|因为)管理员命令",
        r"banco de dados est.{1,2} (?:deslig|sendo deslig)|comando do administrador",
        r"administrat.{1,2}rskommando|databassystemet st.nger ner"
        r"|system bazy danych (?:jest zamykany|wy..cza)"
        r"|veritaban. sistemi kapat",
    ),
    # what a client says in its own language
    _row(
        Cause.HOSTNAME_MISMATCH,
        Stage.TLS,
        "the certificate does not fit the host[; it is for {name}]",
        r"Server-Zertifikat f.{1,2}r <>.{0,40}?stimmt nicht mit dem Hostnamen",
        r"certificado de servidor para <>.{0,40}?no coincide",
        r"certificat serveur pour <>.{0,60}?ne correspond pas",
        r"certificato per il server <>.{0,40}?non combacia",
        r"<>.{0,40}?サーバー?証明書がホスト名|сертификат для <>.{0,60}?не соответствует имени"
        r"|서버 인증서의 이름 ?<>.{0,40}?일치하지|<>.{0,4}的?服务器证书与主机名不匹配",
    ),
    _row(
        Cause.SSL_OFF,
        Stage.SSL_REQUEST,
        "{where} has no TLS: ssl is off",
        r"Server unterst.{1,2}tzt kein SSL|servidor no soporta SSL|serveur ne supporte pas SSL"
        r"|server non supporta SSL|サーバー?はSSLをサポートしていません|сервер не поддерживает SSL"
        r"|서버가 SSL 기능을 지원하지|服务器不支持 ?SSL|servidor n.{1,2}o suporta SSL",
    ),
    _row(
        Cause.CA_BUNDLE_MISSING,
        Stage.TLS,
        "there is no file of trusted CAs[ at {name}]",
        r"Root-Zertifikat-Datei <> existiert nicht|certificado ra.{1,2}z <> no existe"
        r"|certificat racine <> n.?existe|file <> del certificato radice non esiste"
        r"|ルート証明書ファイル ?<> ?が存在しません|файл корневых сертификатов <> не существует"
        r"|루트 인증서 파일 ?<>.{0,8}없|根认证文件 ?<> ?不存在|certificado raiz <> n.{1,2}o existe",
    ),
    _row(
        Cause.CONNECTION_REFUSED,
        Stage.TCP,
        "{where} refuses connections: nothing listens there",
        r"Verbindungsaufbau abgelehnt|Connexion refus|Conexi.{1,2}n re(?:husada|chazada)"
        r"|Connessione rifiutata|Conex.{1,2}o recusada|В соединении отказано|接続を拒否されました"
        r"|拒绝连接|连接被拒绝|연결이 거부됨|Po..czenie odrzucone|Ba.lant. reddedildi",
    ),
    _row(
        Cause.CONNECTION_TIMEOUT,
        Stage.TCP,
        "{where} did not answer in time",
        r"Timeout abgelaufen|Wartezeit f.{1,2}r die Verbindung ist abgelaufen|le d.{1,2}lai est"
        r" d.{1,2}pass|expiration du d.{1,2}lai|tiempo de espera agotado|Expir.{1,2} el tiempo"
        r"|timeout scaduto|Connessione scaduta|タイムアウト(?:期間が|しました)|тайм-аут"
        r"|Время ожидания соединения истекло|시간 초과|超时满|连接超时|Tempo esgotado"
        r"|tempo (?:de espera )?expirado",
    ),
    _row(
        Cause.DNS_FAILED,
        Stage.DNS,
        "the host name[ {name}] does not resolve",
        r"konnte Hostnamen <> nicht in Adresse|no se pudo traducir el nombre <>"
        r"|n.?a pas pu traduire le nom d.?h.{1,2}te <>|conversione del nome host <>"
        r"|ホスト名 ?<> ?をアドレスに変換"
        r"|преобразовать имя <> в адрес|<> 호스트 이름을|无法解释主机名 ?<>"
        r"|n.{1,2}o p.{1,2}de traduzir nome da m.{1,2}quina <>",
    ),
)
