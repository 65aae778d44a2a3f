# serve.pl PORT: serves measurements of a network path. The first byte of a connection selects one:
# `e` echoes all bytes, `s` sends until the client closes, `r` receives to the end and then answers
# with the number of bytes received.
use Socket;
my $nothing = "\0" x (1 << 16);
socket my $server, PF_INET, SOCK_STREAM, 0 or die $!;
setsockopt $server, SOL_SOCKET, SO_REUSEADDR, 1 or die $!;
bind $server, sockaddr_in($ARGV[0], INADDR_ANY) or die $!;
listen $server, 8 or die $!;
$SIG{CHLD} = 'IGNORE';
$SIG{PIPE} = 'IGNORE';
while (accept my $client, $server) {
    if (fork) { close $client; next }
    setsockopt $client, IPPROTO_TCP, 1, 1;
    sysread $client, my $kind, 1 or exit;
    if ($kind eq 'e') {
        while (sysread $client, my $bytes, 1 << 16) { syswrite $client, $bytes or exit }
    } elsif ($kind eq 's') {
        1 while syswrite $client, $nothing;
    } elsif ($kind eq 'r') {
        my ($count, $got) = (0);
        $count += $got while $got = sysread $client, my $bytes, 1 << 18;
        syswrite $client, "$count\n";
    }
    exit;
}
