# gnuplot -e "table='neuralablation.csv'; picture='neuralablation.png'" histories.gnuplot: residuals by iteration, from the rows of the section history in
# three dimensions
set terminal pngcairo size 900,560 font 'sans,11'
set output picture
set datafile separator ','
set logscale y
set format y '10^{%L}'
set grid
set key top right
set xlabel 'iterations'
set ylabel '|r| / |b|'
set xrange [0:120]
set yrange [1e-10:10]
set title sprintf('Residuals of the first scene wavy with %s cells a side', system("sed -n 's/^history,3,\\([0-9]*\\),.*/\\1/p' '".table."' | head -n 1"))
residual(method) = (strcol(1) eq 'history' && strcol(2) eq '3' && strcol(4) eq method ? column(9) : NaN)
# fcg with one direction keeps close to psdo with two, so its line is broken
plot for [m in "'psdo 0' 'psdo 2' 'psdo 30'"] table using (column(7)):(residual(m)) with lines linewidth 2 title m.' with neural', \
  table using (column(7)):(residual('fcg 1')) with lines linewidth 2 dashtype 2 title 'fcg 1 with neural', \
  table using (column(7)):(residual('cg')) with lines linewidth 2 linecolor rgb '#c00000' title 'cg with neural', \
  table using (column(7)):(residual('cg icc')) with lines linewidth 2 title 'cg with icc'
