# spin.pl WORKERS SECONDS: keeps WORKERS processors busy for SECONDS; prints the processor seconds
# used per second.
my ($workers, $seconds) = @ARGV;
sub now { open my $clock, '<', '/proc/uptime' or die $!; (split ' ', <$clock>)[0] }
my $began = now();
for (1 .. $workers) {
    next if fork;
    # Reading the clock is expensive: it is read only after some work.
    do { my $sum = 0; $sum += $_ for 1 .. 20000 } while now() - $began < $seconds;
    exit;
}
1 while wait != -1;
my (undef, undef, $user, $system) = times;
printf "%.4f\n", ($user + $system) / (now() - $began);
