# write.pl BYTES: writes BYTES to the disk, synchronously; prints the bytes written per second.
use Fcntl;
my ($left, $piece) = ($ARGV[0], 1 << 16);
my $file = '/opt/tools/written';
# O_DIRECT requires memory aligned to a page, which Perl cannot guarantee: each piece is synced.
sysopen my $out, $file, O_WRONLY | O_CREAT | O_TRUNC | O_SYNC or die "$file: $!";
sub now { open my $clock, '<', '/proc/uptime' or die $!; (split ' ', <$clock>)[0] }
my ($began, $written) = (now(), 0);
while ($left > 0) {
    my $done = syswrite $out, 'x' x ($left < $piece ? $left : $piece) or die "$file: $!";
    $written += $done;
    $left -= $done;
}
my $took = now() - $began;
unlink $file;
printf "%.0f\n", $written / ($took || 0.01);
