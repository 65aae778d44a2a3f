# spin.pl WORKERS SECONDS: keeps so many processors busy for so long; prints the processor seconds
# that were had in each second.
my ($workers, $seconds) = @ARGV;
sub now { open my $clock, '<', '/proc/uptime' or die $!; (split ' ', <$clock>)[0] }
my $began = now();
for (1 .. $workers) {
    next if fork;
    # a look at the clock costs more than it tells: one after some work
    do { my $sum = 0; $sum += $_ for 1 .. 20000 } while now() - $began < $seconds;
    exit;
}
1 while wait != -1;
my (undef, undef, $user, $system) = times;
printf "%.4f\n", ($user + $system) / (now() - $began);
