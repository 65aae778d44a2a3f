# fill.pl BYTES: allocates memory in steps until it is killed or has BYTES; prints the allocated bytes
# after each step.
$| = 1;
my $step = 1 << 20;
for (my $had = 0; $had < $ARGV[0];) {
    push @memory, 'x' x $step;
    $had += $step;
    print "$had\n";
}
