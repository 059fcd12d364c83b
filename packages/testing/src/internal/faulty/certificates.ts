/**
 * The certificates of the faulty provider, good until 31 October 2126 for `localhost`, `*.localhost`, 127.0.0.1 and ::1.
 *
 * Made once, with OpenSSL 3; the CA's key was thrown away, so that nothing else can be signed by it. The server's key is
 * public with this file and protects nothing.
 *
 * openssl ecparam -name prime256v1 -genkey -noout -out ca.key
 * openssl req -x509 -new -key ca.key -sha256 -days 36500 -subj "/CN=Clawback test CA" -out ca.pem
 *   -addext "basicConstraints=critical,CA:TRUE,pathlen:0" -addext "keyUsage=critical,keyCertSign,cRLSign"
 * openssl ecparam -name prime256v1 -genkey -noout | openssl pkcs8 -topk8 -nocrypt -out server.key
 * openssl req -new -key server.key -subj "/CN=localhost" -out server.csr
 * openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -sha256 -days 36500 -out server.pem
 *   -extfile: basicConstraints=critical,CA:FALSE keyUsage=critical,digitalSignature extendedKeyUsage=serverAuth
 *             subjectAltName=DNS:localhost,DNS:*.localhost,IP:127.0.0.1,IP:::1
 */

export const ca = `-----BEGIN CERTIFICATE-----
MIIBoDCCAUagAwIBAgIUCtyVCv4cQchjnsjb0O3kmg7CbjgwCgYIKoZIzj0EAwIw
GzEZMBcGA1UEAwwQQ2xhd2JhY2sgdGVzdCBDQTAgFw0yNjExMjQxMjMwNDJaGA8y
MTI2MTAzMTEyMzA0MlowGzEZMBcGA1UEAwwQQ2xhd2JhY2sgdGVzdCBDQTBZMBMG
ByqGSM49AgEGCCqGSM49AwEHA0IABAJhQ3XQ701zVEaf4KI6cOSuVRr0jVmgfYgZ
yCGu82KphZ7481jgMLn3H1lZd2t4qwil/Hkbqv/z8ixI8aoFPTujZjBkMB0GA1Ud
DgQWBBT3KPkxsSFY6xOnhIKk44/0f8EmYTAfBgNVHSMEGDAWgBT3KPkxsSFY6xOn
hIKk44/0f8EmYTASBgNVHRMBAf8ECDAGAQH/AgEAMA4GA1UdDwEB/wQEAwIBBjAK
BggqhkjOPQQDAgNIADBFAiEA/ye79Wa3u5Ns2rO8ZVD8tjwF30DHkdqt66RiL+sW
d2gCIBkYbQOa+iD5Vh+rElYziIDOh8T0pm3gUU0gZ8uAGLwN
-----END CERTIFICATE-----
`

export const cert = `-----BEGIN CERTIFICATE-----
MIIB5TCCAYugAwIBAgIUatKqu2gWcV2Xtcj9T3zJHWGL+54wCgYIKoZIzj0EAwIw
GzEZMBcGA1UEAwwQQ2xhd2JhY2sgdGVzdCBDQTAgFw0yNjExMjQxMjMwNDJaGA8y
MTI2MTAzMTEyMzA0MlowFDESMBAGA1UEAwwJbG9jYWxob3N0MFkwEwYHKoZIzj0C
AQYIKoZIzj0DAQcDQgAEhtc3QBhM+pOEyjotu/lEp7AKyyFoZBZwvXW4Z9MUWAP8
qpWeZ5O8kKqgMau+sVRhhGosJjgABNNTjMk/uIBK/6OBsTCBrjAMBgNVHRMBAf8E
AjAAMA4GA1UdDwEB/wQEAwIHgDATBgNVHSUEDDAKBggrBgEFBQcDATA5BgNVHREE
MjAwgglsb2NhbGhvc3SCCyoubG9jYWxob3N0hwR/AAABhxAAAAAAAAAAAAAAAAAA
AAABMB0GA1UdDgQWBBS0E9/oFRGH2kxAuaLGY3q79atYKjAfBgNVHSMEGDAWgBT3
KPkxsSFY6xOnhIKk44/0f8EmYTAKBggqhkjOPQQDAgNIADBFAiAcTriRYxjhGsEj
Emnlidb4wMaZeJL8Pk5ZEnr9Fi06aAIhAIPracKLHq2Xh7JrV8ZkfEXnDo6aU+Fo
xskCKmKIxJJL
-----END CERTIFICATE-----
`

export const key = `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgUVL9SGlXIw0SGxfd
T5PIUS1aUw5XnIdw7ZYMslfANOqhRANCAASG1zdAGEz6k4TKOi27+USnsArLIWhk
FnC9dbhn0xRYA/yqlZ5nk7yQqqAxq76xVGGEaiwmOAAE01OMyT+4gEr/
-----END PRIVATE KEY-----
`
